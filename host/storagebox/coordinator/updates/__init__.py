"""New code for the boards of the house, one board at a time (docs/update.md).

bundle.py      what is sent: a manifest and the files behind it
candidate.py   a board as all of this sees it
devices.py     the boards of the house, as such
verdict.py     whether a board is to get a bundle, and if not, why
board.py       one board, from what it runs to its new code confirmed
job.py         what a command has come to: a row a board
house.py       who is next, and when it stops: the command `update`
proving.py     silence for boards on trial, so that they can show that they play in time
"""
