"""The tail of an index: rows that came since the base was built, appended batch by batch."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.layout import Row
from storagebox.search.engine.part import Base, Names, Part
from storagebox.search.engine.ragged import Growing, Ragged
from storagebox.search.engine.string_keys import NewString, key_of, keys_of_new
from storagebox.search.language.attributes import Sort

_STRINGS_SORTED: Final = 20_000
"""Rows up to which strings new to the base are put in order; beyond, they tie until it is new."""


class _GrowingRagged:
    def __init__(self, dtype: Any, rows: int = 0) -> None:
        self._flat = Growing(dtype)
        self._ptr = Growing(np.int64, np.zeros(rows + 1, np.int64))

    def extend(self, flat: Sequence[Any], counts: Sequence[int]) -> None:
        end = len(self._flat)
        self._flat.extend(flat)
        self._ptr.extend(end + np.cumsum(np.asarray(counts, np.int64)))

    def view(self) -> Ragged:
        return Ragged(self._ptr.view(), self._flat.view())


class Tail:
    """Rows behind a base. Words that the base doesn't know get the ids behind its own.

    One thread appends; the Parts that `view` returns are good for all.
    """

    def __init__(self, base: Base, names: Sequence[Names], sorts: Sequence[Sort]) -> None:
        self._base = base
        self._names = names
        self._sorts = sorts
        self.words: list[str] = []
        self._ids: dict[str, int] = {}
        self._numbers = Growing(np.uint64)
        self._sizes = Growing(np.uint32)
        self._keys = Growing(np.uint64)
        self._tokens = _GrowingRagged(np.uint32)
        self._codes = Growing(np.uint16)
        self._facets = [_GrowingRagged(np.uint32) for _ in names]
        self._numerics: dict[str, _GrowingRagged] = {}
        self._sort_values: list[list[float | str | None]] = [[] for _ in sorts]
        self._sort_keys: list[Growing] = [Growing(np.float64) for _ in sorts]
        self._new_strings: list[list[NewString]] = [[] for _ in sorts]
        self._degrees = Growing(np.float64)
        self._place_counts = Growing(np.int64, np.zeros(1, np.int64))
        self.rows_by_key: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def append(self, rows: Sequence[tuple[int, int, Row]]) -> None:
        """Take in rows: the store's number, the key, what the tables keep."""
        first = len(self)
        identify = self._id
        ids = self._ids
        self._tokens.extend(
            [
                ids[word] if word in ids else identify(word)
                for _, _, row in rows
                for word in row.words
            ],
            [len(row.words) for _, _, row in rows],
        )
        self._codes.extend([code for _, _, row in rows for code in row.codes])
        for at, (column, names) in enumerate(zip(self._facets, self._names, strict=True)):
            column.extend(
                [names.id(value) for _, _, row in rows for value in row.facets[at]],
                [len(row.facets[at]) for _, _, row in rows],
            )
        paths = {path for _, _, row in rows for path in row.numbers}
        for path in paths:
            if path not in self._numerics:
                self._numerics[path] = _GrowingRagged(np.float64, first)
        nothing: list[float] = []
        for path, column in self._numerics.items():
            found = [row.numbers.get(path, nothing) for _, _, row in rows]
            column.extend(
                [number for numbers in found for number in numbers], list(map(len, found))
            )
        for at, sort in enumerate(self._sorts):
            keys: list[float] = []
            for _, _, row in rows:
                keys.append(self._sort_key(at, sort, row.sorts[at]))
                self._sort_values[at].append(row.sorts[at])
            self._sort_keys[at].extend(keys)
        before = len(self._degrees) // 2
        self._degrees.extend([degree for _, _, row in rows for at in row.places for degree in at])
        self._place_counts.extend(
            before + np.cumsum(np.array([len(row.places) for _, _, row in rows], np.int64))
        )
        self.rows_by_key.update((key, first + at) for at, (_, key, _) in enumerate(rows))
        self._keys.extend(np.array([key for _, key, _ in rows], np.uint64))
        self._numbers.extend(np.array([number for number, _, _ in rows], np.uint64))
        self._sizes.extend(np.array([row.size_bytes for _, _, row in rows], np.uint32))

    @property
    def numbers(self) -> NDArray[np.uint64]:
        """What the store knows the rows' records by."""
        return self._numbers.view()

    @property
    def keys(self) -> NDArray[np.uint64]:
        """Hashes of the rows' objectIDs."""
        return self._keys.view()

    def view(self, alive: NDArray[np.bool_]) -> Part:
        """The rows there are now, and which of them are alive."""
        return Part(
            numbers=self._numbers.view(),
            sizes=self._sizes.view(),
            alive=alive,
            tokens=self._tokens.view(),
            codes=self._codes.view(),
            facets=tuple(column.view() for column in self._facets),
            numerics={path: column.view() for path, column in self._numerics.items()},
            sorts=tuple(self._sort_column(at) for at in range(len(self._sorts))),
            places=Ragged(self._place_counts.view(), self._degrees.view().reshape(-1, 2)),
        )

    def sort_values(self, at: int) -> list[float | str | None]:
        """What the rows have for a sort, as records say it."""
        return self._sort_values[at]

    def new_strings(self) -> tuple[Sequence[NewString], ...]:
        """The strings that the base doesn't know, by sort; those of later rows come to them."""
        return tuple(self._new_strings)

    def _id(self, word: str) -> int:
        found = self._base.words.find(word)
        if found < 0:
            found = len(self._base.words) + len(self.words)
            self.words.append(word)
        self._ids[word] = found
        return found

    def _sort_key(self, at: int, sort: Sort, value: float | str | None) -> float:
        if value is None:
            return np.inf
        if isinstance(value, str):
            names = self._base.sort_names[at]
            place = bisect_left(names, value)
            if place < len(names) and names[place] == value:
                return key_of(place, descending=sort.descending)
            self._new_strings[at].append(NewString(place, value, len(self._sort_values[at])))
            return key_of(place - 0.5, descending=sort.descending)
        return -value if sort.descending else value

    def _sort_column(self, at: int) -> NDArray[np.float64]:
        """Keys that order strings new to the base as well, unless there are too many of them."""
        keys = self._sort_keys[at].view()
        new = self._new_strings[at]
        if not new or len(new) > _STRINGS_SORTED:
            return keys
        keys = keys.copy()
        for row, key in keys_of_new(new, descending=self._sorts[at].descending):
            keys[row] = key
        return keys
