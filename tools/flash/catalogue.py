"""The boards that can be flashed: those of boards/catalogue.py, with its faults as a flasher's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from boards import catalogue
from tools.flash.faults import FlashFault


@dataclass(frozen=True)
class Board:
    """name: as people give it. chip: its chip's name. facts: its board.json.

    flash_bytes: what it has at least. image: how its MicroPython image's name begins.
    wants_frozen: Phantom should be in that image.
    """

    name: str
    chip: str
    facts: dict[str, Any]
    flash_bytes: int
    image: str
    wants_frozen: bool


def remark(name: str, image: str, file: str) -> str | None:
    """What to say of a MicroPython image that is published for another board; None if nothing."""
    published = re.match(r"([A-Z0-9_]+(?:-[A-Z0-9_]*[A-Z_][A-Z0-9_]*)*)-\d{8}-", file)
    if published is None or image in ("", published[1]):
        return None
    return f"{file} is of {published[1]}; the usual image for {name} is of {image}"


def names() -> list[str]:
    """All of them."""
    return catalogue.names()


def board(name: str) -> Board:
    """The board of this name. Raises FlashFault, naming those there are."""
    try:
        found = catalogue.board(name)
    except catalogue.BoardError as error:
        raise FlashFault(f"--board: {error}") from None
    return Board(
        name, found.chip.name, found.facts(), found.flash_bytes, found.image, found.wants_frozen
    )
