"""Sources: services that produce sound, each in a process of its own.

    ring.py      the shared memory that carries canonical PCM from a source to the streamer
    source.py    the class that a source's author subclasses
    serving.py   the source's process: orders in, events out, PCM into the ring
    process.py   the box's end: starts, orders, watches and restarts a source's process
    progress.py  how far it has come with what it plays; for the next process, if that one dies
    pool.py      a warm one, in advance
    events.py    what a source says
    library.py   the source that plays files and folders; with decode, canonical and scan

Nothing is imported here: a source's process must start fast.
"""
