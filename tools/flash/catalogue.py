"""The boards that can be flashed: a thin stand-in until boards/catalogue.py is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from boards.emulated.profiles import PROFILES
from tools.flash.faults import FlashFault


@dataclass(frozen=True)
class Board:
    """name: as people give it. chip: its chip's name. facts: its board.json."""

    name: str
    chip: str
    facts: dict[str, Any]


def names() -> list[str]:
    """All of them."""
    return sorted(profile.board for profile in PROFILES.values())


def board(name: str) -> Board:
    """The board of this name. Raises FlashFault, naming those there are."""
    for profile in PROFILES.values():
        if profile.board == name:
            dac = {"i2s": 0, "sck": 26, "ws": 25, "sd": 22, "channels": 2}
            dac |= {"ibuf": profile.ibuf_bytes, "delay_us": profile.dac_delay_us}
            facts = {"name": name, "max_hz": profile.max_hz, "ring_bytes": profile.ring_bytes}
            return Board(name, profile.name, facts | {"dac": dac})
    raise FlashFault(f"--board {name}: there is none of this name; there are {', '.join(names())}")
