"""Sets of rows, a bit a row: what so many rows are in that a list of them would be longer.

Bit r & 63 of word r >> 6 tells whether row r is in. Bits behind the last row are 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.ragged import Rows

Bits = NDArray[np.uint64]

WORD: int = 64
"""Rows of a word."""


def packed(members: NDArray[np.bool_]) -> Bits:
    """The set of the rows where `members` is true."""
    room = np.zeros(-(-len(members) // WORD) * 8, np.uint8)
    room[: -(-len(members) // 8)] = np.packbits(members, bitorder="little")
    return room.view(np.uint64)


def of(rows: Rows, count: int) -> Bits:
    """The set of those of a few rows that are below `count`."""
    bits = np.zeros(-(-count // WORD), np.uint64)
    for row in rows[rows < count].tolist():
        bits[row // WORD] |= np.uint64(1 << row % WORD)
    return bits


def size(bits: Bits) -> int:
    """How many rows are in the set."""
    return int(np.bitwise_count(bits).sum(dtype=np.int64))


def rows(bits: Bits, first: int = 0, end: int | None = None) -> Rows:
    """The rows in the set, ascending; only those of the words from `first` up to `end`."""
    part = bits[first:end]
    # numpy looks for what is true many times faster than for numbers that aren't 0.
    return np.flatnonzero(members(part, len(part) * WORD)) + first * WORD


def members(bits: Bits, rows: int) -> NDArray[np.bool_]:
    """Of each of the first `rows` rows whether it is in the set."""
    return np.unpackbits(bits.view(np.uint8), count=rows, bitorder="little").view(np.bool_)


def among(bits: Bits, rows: Rows) -> NDArray[np.bool_]:
    """Which of some rows are in the set."""
    shift = (rows & 7).astype(np.uint8)
    return (bits.view(np.uint8)[rows >> 3] >> shift & np.uint8(1)).view(np.bool_)
