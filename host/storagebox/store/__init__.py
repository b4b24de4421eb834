"""The ordered log and key-value store that a box keeps what must last in.

interface.py   what a store offers, and promises
sqlite.py      on one box: SQLite
"""
