"""Rows of one class that the tie-break hasn't looked at yet, in the order that tells equals apart.

They are taken in portions, and those that can't be among the first any more are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine import bitset
from storagebox.search.engine.bitset import Bits
from storagebox.search.engine.candidates import Found, Spread
from storagebox.search.engine.ragged import Rows


class Unseen(Protocol):
    """Such rows; `example` is one of them, or none."""

    @property
    def example(self) -> Found: ...

    def narrow(self, inexact: int) -> None:
        """Leave out those of which more words than so many can't count as exact."""
        ...

    def take(self, count: int) -> Found:
        """The next `count` of them."""
        ...


class ListedUnseen:
    """Rows in a list."""

    def __init__(self, found: Found) -> None:
        self._found = found

    @property
    def example(self) -> Found:
        return self._found.pick(np.arange(min(1, len(self._found))))

    def narrow(self, inexact: int) -> None:
        if inexact < len(self._found.grades):
            self._found = self._found.pick(_inexact(self._found.grades) <= inexact)

    def take(self, count: int) -> Found:
        taken = self._found.pick(np.arange(min(count, len(self._found))))
        self._found = self._found.pick(np.arange(len(taken), len(self._found)))
        return taken


class SpreadUnseen:
    """Rows of a spread that are in a set."""

    _WINDOW: Final = 1 << 9  # words of the set that are looked at in one go at least

    def __init__(self, left: Bits, spread: Spread) -> None:
        self._left = left
        self._spread = spread
        self._from = 0  # the word where rows are taken next
        self._ready = np.zeros(0, np.int64)  # rows before it that weren't taken yet
        self._inexact: int | None = None

    @property
    def example(self) -> Found:
        rows = self._ready[:1]
        if not len(rows):
            behind = self._left[self._from :]
            at = int((behind != 0).argmax()) if len(behind) else 0
            rows = bitset.rows(self._left, self._from + at, self._from + at + 1)[:1]
        return self._spread.of(rows)

    def narrow(self, inexact: int) -> None:
        self._inexact = inexact
        self._ready = self._narrowed(self._ready)

    def take(self, count: int) -> Found:
        parts = [self._ready]
        taken = len(self._ready)
        while taken < count and self._from < len(self._left):
            end = self._from + max(self._WINDOW, count // bitset.WORD)
            part = self._narrowed(bitset.rows(self._left, self._from, end))
            taken += len(part)
            parts.append(part)
            self._from = end
        rows = np.concatenate(parts)
        self._ready = rows[count:]
        return self._spread.of(rows[:count])

    def _narrowed(self, rows: Rows) -> Rows:
        if self._inexact is None or self._inexact >= len(self._spread.dense) or not len(rows):
            return rows
        return rows[_inexact(self._spread.of(rows).grades) <= self._inexact]


def _inexact(grades: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """How many words can't count as exact, by row: those whose grades are even."""
    total = np.full(len(grades[0]), len(grades), np.uint8)
    for column in grades:
        total -= column & np.uint8(1)
    return total
