"""Which rooms an emulated house has, where its boards are, and how far off their crystals are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from phantom.wire.audio import BOTH, LEFT, MONO, RIGHT

CRYSTAL_PPM = (
    40.0  # crystals are spread over plus and minus this; Espressif's boards are within 10
)

NO_NETWORK = "none"
# Loopback: every board has an address of its own, so no port has to be chosen.
LOOPBACK = "127.77.0"
# The virtual network's subnet, and the box's number in either.
NETWORK = "10.77.0"
BOX_NUMBER = 2
FIRST_BOARD_NUMBER = 11


def subnet_of(profile: str, loopback: str = LOOPBACK) -> str:
    """The first three numbers of a house's addresses, by its network profile."""
    return loopback if profile == NO_NETWORK else NETWORK


@dataclass(frozen=True)
class BoardPlan:
    """One board to be: `ppm` is its crystal's error."""

    id: str
    room: str
    pick: str
    address: str
    ppm: float


def crystals(count: int, spread_ppm: float, seed: int) -> list[float]:
    """Errors of `count` crystals: evenly over ±`spread_ppm`, both ends taken, in seeded order."""
    if count == 1:
        return [spread_ppm]
    even = [-spread_ppm + 2 * spread_ppm * step / (count - 1) for step in range(count)]
    random.Random(f"crystals/{seed}").shuffle(even)
    return [round(ppm, 2) for ppm in even]


def home(subnet: str, seed: int, spread_ppm: float = CRYSTAL_PPM) -> list[BoardPlan]:
    """The demo's house: Kitchen and Bedroom solo, Living room a stereo pair."""
    places = [
        ("kitchen", "Kitchen", BOTH),
        ("bedroom", "Bedroom", MONO),
        ("living-left", "Living room", LEFT),
        ("living-right", "Living room", RIGHT),
    ]
    return placed(places, subnet, seed, spread_ppm)


def row(count: int, subnet: str, seed: int, spread_ppm: float) -> list[BoardPlan]:
    """`count` boards for a bench: the demo's house first, then solo rooms with both channels."""
    if not 1 <= count <= 64:
        raise ValueError(f"{count} boards: a house has 1 to 64")
    places = [(board.id, board.room, board.pick) for board in home(subnet, seed)][:count]
    places += [(f"room-{number}", f"Room {number}", BOTH) for number in range(5, count + 1)]
    return placed(places, subnet, seed, spread_ppm)


def placed(
    places: Sequence[tuple[str, str, str]], subnet: str, seed: int, spread_ppm: float
) -> list[BoardPlan]:
    """A house of these boards: (id, room, pick) of each."""
    errors = crystals(len(places), spread_ppm, seed)
    return [
        BoardPlan(name, room, pick, f"{subnet}.{FIRST_BOARD_NUMBER + number}", ppm)
        for number, ((name, room, pick), ppm) in enumerate(zip(places, errors, strict=True))
    ]


def pairs(boards: Sequence[BoardPlan]) -> list[tuple[str, str, str]]:
    """(left board, right board, room) of each stereo pair of a house."""
    lefts = {board.room: board.id for board in boards if board.pick == LEFT}
    rights = {board.room: board.id for board in boards if board.pick == RIGHT}
    return [(lefts[room], rights[room], room) for room in lefts if room in rights]
