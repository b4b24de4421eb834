"""Which devices there are, and what they play.

rooms.py         the rooms file
device.py        a device: its link, its facts, its reports
session.py       what a group of devices plays
coordinator.py   the commands of people
"""
