"""Records as they are shown; those of late are kept as they were parsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import orjson

from storagebox.search.engine.store import Store

_KEPT: Final = 16_384  # who types a word sees the same hits again and again

Record = Mapping[str, Any]


class Records:
    """Reads records of a store by their numbers. Threads may share one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Records under a number never change, so what is kept is right as long as it is. What is
        # asked for moves from the older half to the newer, and when that is full, the older goes.
        self._newer: dict[int, Record] = {}
        self._older: dict[int, Record] = {}

    def get(self, numbers: Sequence[int]) -> list[Record]:
        """The records under some numbers; without those that have gone meanwhile."""
        newer, older = self._newer, self._older
        found: dict[int, Record | None] = {}
        unknown: list[int] = []
        for number in numbers:
            record = newer.get(number)
            if record is None:
                record = older.get(number)
                if record is None:
                    unknown.append(number)
                else:
                    newer[number] = record
            found[number] = record
        if unknown:
            for number, record in zip(unknown, self._parsed(unknown), strict=True):
                if record is not None:
                    found[number] = newer[number] = record
        if len(newer) > _KEPT // 2:
            self._newer, self._older = {}, newer
        return [record for record in found.values() if record is not None]

    def forget(self) -> None:
        """Keep none."""
        self._newer, self._older = {}, {}

    def read(self, numbers: Sequence[int]) -> list[Record]:
        """As `get`, for many that won't be asked for again soon."""
        return [record for record in self._parsed(numbers) if record is not None]

    def _parsed(self, numbers: Sequence[int]) -> list[Record | None]:
        return [
            None if body is None else cast("dict[str, Any]", orjson.loads(body))
            for body in self._store.bodies(numbers)
        ]
