"""What is to be done to one index and isn't committed yet, and how the index will look then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from storagebox.search.engine.changes import Change, Clear, Delete, Meta, Put
from storagebox.search.engine.index import Index
from storagebox.search.writes import partial
from storagebox.search.writes.operations import CLEAR, DELETE, PARTIAL, PARTIAL_NO_CREATE, Request
from storagebox.search.writes.refused import Refused


class Pending:
    """Changes to `index`, by the position of the log entry that asks for them."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.groups: list[tuple[int, list[Change]]] = []
        self._records: dict[str, Mapping[str, Any] | None] = {}
        self._cleared = False
        self._metas: dict[str, Any] = {}

    @property
    def applied(self) -> int:
        """The position of the last entry that is applied or waits here."""
        return max(self.index.applied, self.groups[-1][0] if self.groups else 0)

    def add(self, position: int, changes: Iterable[Change]) -> None:
        """Have these done with the next commit."""
        group = list(changes)
        for change in group:
            match change:
                case Put(object_id, record):
                    self._records[object_id] = record
                case Delete(object_id):
                    self._records[object_id] = None
                case Clear():
                    self._records.clear()
                    self._cleared = True
                case Meta(name, value):
                    self._metas[name] = value
        if self.groups and self.groups[-1][0] == position:
            self.groups[-1][1].extend(group)
        else:
            self.groups.append((position, group))

    def get(self, object_id: str) -> Mapping[str, Any] | None:
        """The record as it will be."""
        if object_id in self._records:
            return self._records[object_id]
        return None if self._cleared else self.index.get(object_id)

    def meta(self, name: str) -> Any:
        """Settings, synonyms or rules as they will be."""
        return self._metas[name] if name in self._metas else self.index.meta(name)


def resolved(
    get: Callable[[str], Mapping[str, Any] | None],
    requests: Iterable[Request],
    check: Callable[[Mapping[str, Any]], None],
    failed: Callable[[Request, Exception], None],
) -> list[Change]:
    """A batch's requests on one index as changes, each seeing what those before it did.

    `get` tells the record under an id before them; `check` raises for one that can't be kept. A
    request that can't be applied is told to `failed` and leaves its record as it is.
    """
    changes: list[Change] = []
    seen: dict[str, Mapping[str, Any] | None] = {}
    cleared = False
    for request in requests:
        object_id = request.object_id
        record: Mapping[str, Any] | None
        if request.action == CLEAR:
            changes.append(Clear())
            seen.clear()
            cleared = True
            continue
        if request.action == DELETE:
            changes.append(Delete(object_id))
            seen[object_id] = None
            continue
        record = request.body or {}
        if request.action in (PARTIAL, PARTIAL_NO_CREATE):
            if object_id in seen:
                known = seen[object_id]
            else:
                known = None if cleared else get(object_id)
            try:
                record = partial.updated(known, record, request.action == PARTIAL)
                if record is None:
                    continue
                check(record)
            except (partial.CannotApply, Refused) as fault:
                failed(request, fault)
                continue
        changes.append(Put(object_id, record))
        seen[object_id] = record
    return changes
