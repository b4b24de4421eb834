"""Columns whose rows hold any number of values, in two flat arrays; and such columns that grow.

Row r of a Ragged holds `flat[ptr[r]:ptr[r + 1]]`. When each row holds exactly one value, `ptr` is
None and row r holds `flat[r]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ragged:
    """`ptr`: int64[rows + 1] or None; `flat`: the values of all rows."""

    ptr: NDArray[np.int64] | None
    flat: Array

    def __len__(self) -> int:
        return len(self.flat) if self.ptr is None else len(self.ptr) - 1

    def counts(self, rows: Rows) -> NDArray[np.int64]:
        """How many values each of `rows` holds."""
        if self.ptr is None:
            return np.ones(len(rows), np.int64)
        return self.ptr[rows + 1] - self.ptr[rows]

    def where(self, rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The places in `flat` of the rows' values, and for each place the index into `rows`."""
        if self.ptr is None:
            return rows, np.arange(len(rows))
        return spans(self.ptr[rows], self.ptr[rows + 1])


def spans(
    starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All integers of the ranges [start, end), in order, and for each the range it is from."""
    counts = ends - starts
    owner = np.repeat(np.arange(len(starts)), counts)
    every = np.repeat(starts - np.cumsum(counts) + counts, counts)
    every += np.arange(len(owner))
    return every, owner


class Growing:
    """A flat array that is appended to; `view` stays as it is while more is appended."""

    __slots__ = ("_length", "_room")

    def __init__(self, dtype: DTypeLike, start: Array | None = None) -> None:
        self._room: Array = np.empty(0, dtype) if start is None else start.astype(dtype)
        self._length = len(self._room)

    def __len__(self) -> int:
        return self._length

    def extend(self, values: Any) -> None:
        """Append what numpy makes an array of."""
        more = np.asarray(values, self._room.dtype)
        end = self._length + len(more)
        if end > len(self._room):
            room = np.empty(max(end, 2 * self._length, 64), self._room.dtype)
            room[: self._length] = self._room[: self._length]
            self._room = room
        self._room[self._length : end] = more
        self._length = end

    def view(self) -> Array:
        """What was appended so far."""
        return self._room[: self._length]
