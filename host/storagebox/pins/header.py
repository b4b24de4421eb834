"""The 40-pin header that every Raspberry Pi since 2014 has: which GPIO is which pin.

Source: the pinout of Raspberry Pi's documentation. Pins are counted as on the board: odd ones in
the row away from its edge, 1 at the end away from the USB sockets.
"""

from __future__ import annotations

import re

GPIO_PINS = dict(
    entry
    for row in (
        ((2, 3), (3, 5), (4, 7), (14, 8), (15, 10), (17, 11), (18, 12), (27, 13), (22, 15)),
        ((23, 16), (24, 18), (10, 19), (9, 21), (25, 22), (11, 23), (8, 24), (7, 26), (5, 29)),
        ((6, 31), (12, 32), (13, 33), (19, 35), (16, 36), (26, 37), (20, 38), (21, 40)),
    )
    for entry in row
)
"""Header pin by GPIO. 0 and 1 are left out: an expansion board is told by them at the start."""

GROUND_PINS = (6, 9, 14, 20, 25, 30, 34, 39)

# With resistors of 1.8 kΩ to 3.3 V on the board, for I2C: nothing pulls these down.
PULLED_UP = (2, 3)

_NAME = re.compile(r"D(\d+)")


def gpio_of(name: str) -> int | None:
    """The GPIO of a name like "D17", None if it is no pin of this header."""
    found = _NAME.fullmatch(name)
    number = int(found[1]) if found else -1
    return number if number in GPIO_PINS else None


def nearest_ground(pin: int) -> int:
    """The ground pin that is the fewest rows away from a header pin."""

    def distance(ground: int) -> tuple[int, int]:
        return abs((ground - 1) // 2 - (pin - 1) // 2), abs(ground - pin)

    return min(GROUND_PINS, key=distance)
