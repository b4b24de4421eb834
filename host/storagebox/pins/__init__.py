"""Buttons and lights on the box's own pins (docs/pins.md). An extra, in a process of its own.

wiring.py   which pin is what: the file that people write, and its checks
header.py   the header of a Raspberry Pi
gpio.py     what is needed of pins; blinka.py gives it, by Adafruit Blinka
buttons.py  from a contact's samples to gestures; pure
lights.py   from what there is to show to a rhythm; pure
house.py    the house as a panel sees it, from the box's status and changes
orders.py   what a press asks of the box
line.py     the line to the box: its control socket, like any program's
panel.py    all of these at work; __main__.py its process, beside.py the box's end of that
trial.py    trying a wiring by hand, without a box
"""
