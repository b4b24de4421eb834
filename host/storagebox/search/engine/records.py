"""Records as they are shown; those of late are kept as they were parsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import orjson

from storagebox.search.engine.store import Store

_KEPT: Final = 8192  # who types a word sees the same hits again and again

Record = Mapping[str, Any]


class Records:
    """Reads records of a store by their numbers. Threads may share one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Records under a number never change, so what is kept is right as long as it is.
        self._known: dict[int, Record] = {}

    def get(self, numbers: Sequence[int]) -> list[Record]:
        """The records under some numbers; without those that have gone meanwhile."""
        known = self._known
        found = {number: known.get(number) for number in numbers}
        unknown = [number for number, record in found.items() if record is None]
        if unknown:
            if len(known) > _KEPT:
                known.clear()
            for number, record in zip(unknown, self._parsed(unknown), strict=True):
                if record is not None:
                    found[number] = known[number] = record
        return [record for record in found.values() if record is not None]

    def read(self, numbers: Sequence[int]) -> list[Record]:
        """As `get`, for many that won't be asked for again soon."""
        return [record for record in self._parsed(numbers) if record is not None]

    def _parsed(self, numbers: Sequence[int]) -> list[Record | None]:
        return [
            None if body is None else cast("dict[str, Any]", orjson.loads(body))
            for body in self._store.bodies(numbers)
        ]
