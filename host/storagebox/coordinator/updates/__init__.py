"""New code for the boards of the house, one board at a time (docs/update.md).

bundle.py    what is sent: a manifest and the files behind it
board.py     one board, from what it runs to its new code confirmed
house.py     who is next, and when it stops: the command `update`
proving.py   silence for boards on trial, so that they can show that they play in time
"""
