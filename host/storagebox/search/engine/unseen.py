"""Rows of one class that the tie-break hasn't looked at yet, in the order that tells equals apart.

They are taken in portions, and those that can't be among the first any more are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.candidates import Found
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
    """Rows told by a byte each, `left`, which is written to."""

    _WINDOW: Final = 1 << 15

    def __init__(self, left: NDArray[np.bool_], grades: Sequence[NDArray[np.uint8]]) -> None:
        self._left = left
        self._grades = tuple(grades)
        self._from = 0

    @property
    def example(self) -> Found:
        behind = self._left[self._from :]
        at = int(behind.argmax()) if len(behind) else 0
        rows = np.array([self._from + at] if len(behind) and behind[at] else [], np.int64)
        return self._of(rows)

    def narrow(self, inexact: int) -> None:
        if inexact < len(self._grades):
            behind = slice(self._from, None)
            grades = [column[behind] for column in self._grades]
            self._left[behind] &= _inexact(grades) <= inexact

    def take(self, count: int) -> Found:
        parts: list[Rows] = []
        taken = 0
        while taken < count and self._from < len(self._left):
            end = self._from + max(self._WINDOW, count)
            part = np.flatnonzero(self._left[self._from : end])[: count - taken] + self._from
            taken += len(part)
            parts.append(part)
            self._from = int(part[-1]) + 1 if taken == count else min(end, len(self._left))
        return self._of(np.concatenate(parts) if parts else np.zeros(0, np.int64))

    def _of(self, rows: Rows) -> Found:
        return Found(rows, tuple(column[rows] for column in self._grades))


def _inexact(grades: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """How many words can't count as exact, by row: those whose grades are even."""
    total = np.full(len(grades[0]), len(grades), np.uint8)
    for column in grades:
        total -= column & np.uint8(1)
    return total
