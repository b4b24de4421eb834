"""Which devices there are, and what they play.

rooms.py         the rooms file
device.py        a device: its link, its facts, its reports
session.py       what a group of devices plays
coordinator.py   the commands of people
levels.py        volumes of rooms and groups
groups.py        which rooms play together
readings.py      what a device's reports say of the last seconds
health.py        how well devices, rooms, groups and the house play, in words
terms.py         lead and codec of a group
keeping_up.py    who is dropped from a group, and comes back
halves.py        what the halves of a stereo pair are sent
"""
