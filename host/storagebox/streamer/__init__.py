"""House time out, chunks out.

box_clock.py     the clock of one box: follow.py learns the time, house_clock.py tells it,
                 house_keeper.py keeps it
link.py          the connection to one device; channels.py is its state, sweep.py its wake-ups,
                 heartbeat.py its signs of life, overtaking.py the race against one that is stuck,
                 endings.py why it ended, tcp.py its socket, timeouts.py its calls' patience
transfer.py      uploads over a link
stream.py        one session's audio: what is due, to whom
formats.py       what each device is sent: channel picks and codecs; adpcm.py is one of them
"""
