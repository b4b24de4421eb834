"""Which devices there are, which rooms they form, and what plays where; docs/groups.md tells how.

coordinator.py   the parts put together, and commands that are nobody else's
roster.py        devices, as beacons tell of them
device.py        a device: its link, its facts, its volume, its reports
topology.py      which devices form which rooms, in step with the store and every device
rooms.py         rooms and groups by whatever people call them
arranging.py     the commands that edit the topology
playing.py       who plays what: the commands, and making what is into what should be
session.py       what a group plays; programme.py what its source says, feeding.py whom it feeds
volumes.py       the commands of volume
aggregation.py   acts on what devices report
memo.py          a session in text, for devices to keep; notes.py the same while nothing plays
rebuilding.py    goes on after a restart from what devices were left
status.py        the house as programs see it; changes.py what is another than before

Pure: groups.py, levels.py, readings.py (reports), health.py, terms.py (lead and codec),
keeping_up.py (who is dropped), halves.py (of pairs).
"""
