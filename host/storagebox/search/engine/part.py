"""The tables of an index: a base that is built whole, and a tail of what came since.

Both have a row for each record, described by a Part. The base's rows stand in the order of the
index's own ranking (`asc` and `desc` in `ranking`, then `customRanking`), so its first rows are
the best among equals; its words are sorted and have postings: for each word all its places in all
rows. The tail has neither and is short enough to be read whole by every search.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.cache import ByteCache
from storagebox.search.engine.ragged import Ragged, Rows, spans
from storagebox.search.engine.vocabulary import Words

NO_VALUE: Final = 0
"""The facet value that a record without any has where each record has exactly one."""


# Bytes that remembering which rows hold words may take, and the same for filters.
_KEPT: Final = 4 << 20
_KEPT_A_ROW: Final = 24

_LONG: Final = 256  # places from which a word's are copied one word after the other


class Names:
    """Values of a facet and their ids, which never change. One thread adds, any may read."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values: list[str] = [""]
        self._ids: dict[str, int] = {}
        self._folded: dict[str, list[int]] = {}
        for value in values:
            self.id(value)

    def id(self, value: str) -> int:
        """The id of `value`, a new one if it is new."""
        found = self._ids.get(value)
        if found is None:
            found = len(self.values)
            self.values.append(value)
            self._ids[value] = found
            self._folded.setdefault(value.casefold(), []).append(found)
        return found

    def alike(self, value: str) -> list[int]:
        """The ids of all values that differ from `value` in case at most."""
        return self._folded.get(value.casefold(), [])

    def same(self, value: str) -> int | None:
        """The id of exactly this value."""
        return self._ids.get(value)


@dataclass(frozen=True, slots=True)
class Part:
    """Columns of some rows. A snapshot's never change, but for rows that die.

    numbers: uint64, what the store knows the record by; sizes: uint32, bytes of its JSON.
    tokens: uint32 ids of words, by rows; codes: uint16, each token's place (see layout).
    facets: uint32 ids of values, in the order of the layout's; numerics: float64 by path.
    sorts: float64 in the layout's order, smaller is better and infinity is none.
    places: float64[., 2], degrees of latitude and longitude.
    """

    numbers: NDArray[np.uint64]
    sizes: NDArray[np.uint32]
    alive: NDArray[np.bool_]
    tokens: Ragged
    codes: NDArray[np.uint16]
    facets: tuple[Ragged, ...]
    numerics: dict[str, Ragged]
    sorts: tuple[NDArray[np.float64], ...]
    places: Ragged

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True)
class Postings:
    """For each word (or value) v, rows[ptr[v]:ptr[v + 1]], ascending, and the places there."""

    ptr: NDArray[np.int64]
    rows: NDArray[np.uint32]
    codes: NDArray[np.uint16]

    def count(self, low: int, high: int) -> int:
        """How many places the words from `low` up to `high` have."""
        return int(self.ptr[high] - self.ptr[low])

    def read(self, words: slice | Rows) -> tuple[NDArray[np.uint32], NDArray[np.uint16]]:
        """The rows and codes of words: those from one up to another, or those with some ids."""
        if isinstance(words, slice):
            run = slice(int(self.ptr[words.start]), int(self.ptr[words.stop]))
            return self.rows[run], self.codes[run]
        starts, ends = self.ptr[words], self.ptr[words + 1]
        number = int((ends - starts).sum())
        if not number:
            return self.rows[:0], self.codes[:0]
        if number < _LONG * len(words):
            places = spans(starts, ends)[0]
            return self.rows[places], self.codes[places]
        runs = list(map(slice, starts.tolist(), ends.tolist()))
        return (
            np.concatenate([self.rows[run] for run in runs]),
            np.concatenate([self.codes[run] for run in runs]),
        )


@dataclass(frozen=True, slots=True)
class Base:
    """Everything that is built at once, see the module's docstring.

    keys: uint64, hashes of objectIDs, ascending, and rows_by_key: uint32, the row of each.
    sort_names: by sort the strings that its column counts through, sorted. `holders` remembers
    which rows hold words, `sets` which rows filters hold for and facets' values are in.
    """

    part: Part
    words: Words
    postings: Postings
    values: tuple[Postings, ...]
    keys: NDArray[np.uint64]
    rows_by_key: NDArray[np.uint32]
    sort_names: tuple[list[str], ...]
    holders: ByteCache[Any] = field(init=False, compare=False)
    sets: ByteCache[Any] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("holders", "sets"):
            object.__setattr__(self, name, ByteCache(_KEPT + _KEPT_A_ROW * len(self.part)))


def empty_base(facets: int, sorts: int) -> Base:
    """The base of an index without records."""
    none = np.zeros(0, np.int64)
    start = np.zeros(1, np.int64)
    part = Part(
        numbers=none.astype(np.uint64),
        sizes=none.astype(np.uint32),
        alive=none.astype(np.bool_),
        tokens=Ragged(start, none.astype(np.uint32)),
        codes=none.astype(np.uint16),
        facets=(Ragged(start, none.astype(np.uint32)),) * facets,
        numerics={},
        sorts=(none.astype(np.float64),) * sorts,
        places=Ragged(start, np.zeros((0, 2))),
    )
    nothing = Postings(start, none.astype(np.uint32), none.astype(np.uint16))
    return Base(
        part=part,
        words=Words([]),
        postings=nothing,
        values=(nothing,) * facets,
        keys=none.astype(np.uint64),
        rows_by_key=none.astype(np.uint32),
        sort_names=tuple([] for _ in range(sorts)),
    )


def postings_of(column: Ragged, size: int, codes: NDArray[Any] | None) -> Postings:
    """The inverse of a column whose values are below `size`."""
    rows = len(column)
    flat = column.flat
    counts = np.bincount(flat, minlength=size)
    ptr = np.zeros(size + 1, np.int64)
    np.cumsum(counts, out=ptr[1:])
    # Value in the high half, place in the low: one sort brings them together and keeps row order.
    order = (flat.astype(np.uint64) << np.uint64(32)) | np.arange(len(flat), dtype=np.uint64)
    order.sort()
    place = (order & np.uint64(0xFFFFFFFF)).astype(np.int64)
    del order
    if column.ptr is None:
        owner = place.astype(np.uint32)
    else:
        owner = np.repeat(np.arange(rows, dtype=np.uint32), np.diff(column.ptr))[place]
    return Postings(ptr, owner, np.zeros(0, np.uint16) if codes is None else codes[place])
