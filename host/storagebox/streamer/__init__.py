"""House time out, chunks out.

house_clock.py   house time, and the UDP server that tells it
link.py          the connection to one device; channels.py is its state, sweep.py its wake-ups
stream.py        one session's audio: what is due, to whom
formats.py       what each device is sent: channel picks and codecs; adpcm.py is one of them
"""
