"""The library: an index of the music folder, kept up to date and searched.

    tags.py      what audio files say about themselves
    folders.py   what of a folder is music, and what only lies beside it
    records.py   tracks, albums and artists as the search API has them
    shelf.py     the three indices, of one application; changed together or not at all
    updating.py  one pass over the folder: only what has changed is read
    pace.py      how much of the machine that may take
    keeping.py   when the next pass is due
    serving.py   the search API on a Unix socket
    __main__.py  all of these in a process of their own; beside.py the box's end of that

Nothing is imported here: a source's process takes tags from here, and must start fast.
"""
