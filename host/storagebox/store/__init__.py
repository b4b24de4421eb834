"""The ordered log and key-value store that a box keeps what must last in.

interface.py     what a store offers, and promises
sqlite.py        on one box: SQLite, one thread
sqlite_file.py   its file: schema, transactions, faults
sqlite_logs.py   its logs and operation ids
"""
