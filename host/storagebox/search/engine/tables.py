"""The tables of one index as they change: what is appended, what dies, when all is built anew.

One thread changes them. What `snapshot` returns stays as it is, so searches need no lock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.build import build
from storagebox.search.engine.layout import Layout, Row
from storagebox.search.engine.part import Base, Names, empty_base
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.synonyms import Synonyms
from storagebox.search.engine.tail import Tail

_SMALLEST_TAIL: Final = 1024  # rows that are read in less time than all else of a search takes
_SHARE: Final = 64  # the tail may be one such part of the base

NewRow = tuple[int, str, Row]
"""A record's number in the store, its objectID, and what the tables keep of it."""


def key_of(object_id: str) -> int:
    """A 64-bit number for an objectID; that two have the same isn't going to happen."""
    return int.from_bytes(hashlib.blake2b(object_id.encode(), digest_size=8).digest(), "little")


class Tables:
    """Base and tail, and which of their rows are alive."""

    def __init__(
        self, layout: Layout, names: Sequence[Names] | None = None, base: Base | None = None
    ) -> None:
        self.layout = layout
        self.names = tuple(names) if names else tuple(Names() for _ in layout.facets)
        self._use(base or empty_base(len(layout.facets), len(layout.sorts)))
        # Rows appended while a new base is being built from what was there before; None if none
        # is.
        self._since: list[NewRow] | None = None

    @property
    def base(self) -> Base:
        """The base, without what died since it was built."""
        return self._base

    @property
    def tail_rows(self) -> int:
        """How many rows the tail has."""
        return len(self._tail)

    @property
    def want_building(self) -> bool:
        """Whether the tail is so long that it slows searches down."""
        return len(self._tail) >= max(_SMALLEST_TAIL, len(self._base.part) // _SHARE)

    def append(self, rows: Sequence[NewRow]) -> None:
        """Take in rows of records that aren't in the tables, or whose rows are dead."""
        if not rows:
            return
        self._tail.append([(number, key_of(object_id), row) for number, object_id, row in rows])
        self._tail_alive = np.concatenate([self._tail_alive, np.ones(len(rows), np.bool_)])
        if self._since is not None:
            self._since += rows

    def bury(self, object_ids: Iterable[str]) -> None:
        """Mark the rows of these records as dead, in copies: searches under way see them still."""
        rows = np.array([row for each in object_ids if (row := self._finder(each)) >= 0], np.int64)
        self.bury_rows(rows)

    def bury_rows(self, rows: NDArray[np.int64]) -> None:
        """Mark some rows as dead."""
        if not len(rows):
            return
        count = len(self._alive)
        self._alive = self._alive.copy()
        self._alive[rows[rows < count]] = False
        self._tail_alive = self._tail_alive.copy()
        self._tail_alive[rows[rows >= count] - count] = False

    def begin_building(self) -> Callable[[], Base]:
        """What builds a new base of the rows alive now; it may run beside all else.

        `end_building` takes what it returns.
        """
        self._since = []
        base = replace(self._base, part=replace(self._base.part, alive=self._alive))
        tail = self._tail.view(self._tail_alive)
        keys = self._tail.keys
        words = tuple(self._tail.words)
        sorts = self.layout.sorts
        values = [self._tail.sort_values(at)[: len(tail)] for at in range(len(sorts))]
        sizes = [len(each.values) for each in self.names]
        self._building = self._alive, self._tail_alive
        descending = [sort.descending for sort in sorts]
        return lambda: build(base, tail, keys, words, sizes, values, descending)

    def end_building(self, base: Base) -> None:
        """Use a new base; what came and what died while it was built is kept."""
        alive, tail_alive = self._building
        since = self._since or []
        died = np.concatenate(
            [
                self._base.part.numbers[alive & ~self._alive],
                self._tail.numbers[: len(tail_alive)][
                    tail_alive & ~self._tail_alive[: len(tail_alive)]
                ],
            ]
        )
        still = self._tail_alive[len(tail_alive) :]
        self._since = None
        self._use(base)
        self.append([row for row, lives in zip(since, still.tolist(), strict=True) if lives])
        if len(died):
            self.bury_rows(np.flatnonzero(np.isin(base.part.numbers, died)))

    def give_up_building(self) -> None:
        """Go on with the base there is."""
        self._since = None

    def build(self) -> None:
        """Build a new base here and now."""
        self.end_building(self.begin_building()())

    def forget(self) -> None:
        """Let go of what is only remembered to answer faster."""
        self._base.holders.clear()
        self._base.sets.clear()
        self._base.words.forget()

    def snapshot(self, synonyms: Synonyms) -> Snapshot:
        """The tables as they are now."""
        return Snapshot(
            self.layout,
            self._base,
            self._alive,
            self._tail.view(self._tail_alive),
            tuple(self._tail.words),
            self.names,
            synonyms,
            self._finder,
            self._tail.new_strings(),
        )

    def _use(self, base: Base) -> None:
        self._base = base
        self._alive = base.part.alive
        self._tail = Tail(base, self.names, self.layout.sorts)
        self._tail_alive = np.zeros(0, np.bool_)
        self._building = self._alive, self._tail_alive
        self._finder = _Finder(base, self._tail)


class _Finder:
    """Finds rows by objectID, among a base's and the tail's behind it."""

    def __init__(self, base: Base, tail: Tail) -> None:
        self._base = base
        self._tail = tail

    def __call__(self, object_id: str) -> int:
        """The row, which may be dead, or -1."""
        key = key_of(object_id)
        row = self._tail.rows_by_key.get(key)
        if row is not None:
            return len(self._base.part) + row
        keys = self._base.keys
        at = int(np.searchsorted(keys, np.uint64(key)))
        found = at < len(keys) and int(keys[at]) == key
        return int(self._base.rows_by_key[at]) if found else -1
