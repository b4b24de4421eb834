"""A damaged index made anew: from the last snapshot, and what the log says since.

It is done beside everything else, in a folder of its own, by the same code that applies the log;
only for the indices that had to do with the damaged one. What comes out is the index as of
`catalog.applied`; whatever the log holds beyond is applied to it as to all others.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from storagebox.search.language.errors import LanguageError
from storagebox.search.writes import metas
from storagebox.search.writes.catalog import Catalog, Place
from storagebox.search.writes.chunks import Joiner, Unreadable
from storagebox.search.writes.indices import FOLDER
from storagebox.search.writes.keys import Keys
from storagebox.search.writes.log import Log
from storagebox.search.writes.operations import (
    Batch,
    CopyIndex,
    MoveIndex,
    Operation,
    SetSettings,
    decode,
    indices,
)
from storagebox.search.writes.snapshots import Snapshots, Unusable
from storagebox.search.writes.state import State

_SCRATCH: Final = "rebuilding"


def rebuild(state: State, snapshots: Snapshots, log: Log, folder: str) -> None:
    """Put the index of `folder` back. Raises Unusable if snapshot and log don't allow it."""
    name = next(n for n, place in state.catalog.places.items() if place.folder == folder)
    catalog, scratch = _start(state, snapshots), state.folder / _SCRATCH
    first, last = log.bounds()
    applied = state.catalog.applied
    if first > catalog.applied + 1:
        raise Unusable(f"the log begins at {first}, the snapshot ends at {catalog.applied}")
    if last < applied:
        raise Unusable(f"the log ends at {last}, and the index was at {applied}")
    shutil.rmtree(scratch, ignore_errors=True)
    wanted = _related(name, catalog, log, applied)
    places = {n: place for n, place in catalog.places.items() if n in wanted}
    catalog.places = places
    again = State(scratch, catalog, state.limits, _silent)
    try:
        for place in places.values():
            if place.lost:
                raise Unusable("it was lost before")
            snapshots.restore(place.folder, scratch / FOLDER / place.folder)
        again.open()
        _replay(again, log, applied, wanted)
        if again.indices.damaged:
            raise Unusable("what was made anew is damaged, too")
        found = again.catalog.places.get(name)
        if found is None:  # the next entry brings it into being, and it is empty until then
            found = Place(f"{folder}-empty", 0, 0)
            again.indices.build(found.folder, 0, ())
        again.close()
        target = state.indices.root / folder
        shutil.rmtree(target, ignore_errors=True)
        (scratch / FOLDER / found.folder).rename(target)
    finally:
        again.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _start(state: State, snapshots: Snapshots) -> Catalog:
    """What the log's first entry is applied to."""
    limit = state.limits.keys
    if snapshots.manifest is not None:
        try:
            return snapshots.manifest.read_catalog(limit)
        except ValueError as fault:
            raise Unusable(str(fault)) from fault
    return Catalog(state.catalog.application, Keys(limit), state.catalog.admin_key)


def _replay(again: State, log: Log, applied: int, wanted: set[str]) -> None:
    for position, operation, at_ms in entries(log, again.catalog.applied + 1, applied):
        if wanted.isdisjoint(indices(operation)):
            continue
        if isinstance(operation, Batch):
            operation = Batch(tuple(r for r in operation.requests if r.index in wanted))
        again.apply(position, operation, at_ms)
        if not position % 256:
            again.flush()
    again.flush()


def entries(log: Log, first: int, last: int) -> Iterator[tuple[int, Operation, int]]:
    """The operations that the log holds from `first` to `last`; what is garbage is left out."""
    joiner = Joiner()
    while first <= last and (page := log.read(first)):
        first = page[-1].index + 1
        for payload in joiner.join(page):
            if isinstance(payload, Unreadable) or payload.position > last:
                continue
            try:
                operation, at_ms = decode(payload.data)
            except ValueError:
                continue
            yield payload.position, operation, at_ms


def _related(name: str, catalog: Catalog, log: Log, applied: int) -> set[str]:
    """The names of all indices whose contents may have come into that of `name`."""
    groups: list[set[str]] = [
        {n, place.primary} for n, place in catalog.places.items() if place.primary is not None
    ]
    for _, operation, _ in entries(log, catalog.applied + 1, applied):
        if isinstance(operation, CopyIndex | MoveIndex):
            groups.append({operation.index, operation.destination})
        elif isinstance(operation, SetSettings):
            with suppress(LanguageError):  # it was not applied either
                groups.append({operation.index, *metas.replicas(operation.settings)})
    found = {name}
    while more := {n for group in groups if group & found for n in group} - found:
        found |= more
    return found


def _silent(event: str, /, **fields: Any) -> None:
    """What went wrong then was told then."""
