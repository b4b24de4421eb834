"""Whether an operation is let in: room on the disk, distance behind, quotas, and what there is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from storagebox.search.writes import durable, metas, structure
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.operations import (
    CREATING,
    AddKey,
    Batch,
    ClearIndex,
    CopyIndex,
    DeleteBy,
    DeleteIndex,
    DeleteKey,
    MoveIndex,
    Operation,
    RestoreKey,
    SaveItems,
    SetSettings,
    UpdateKey,
    indices,
)
from storagebox.search.writes.quotas import Quota
from storagebox.search.writes.refused import Refused
from storagebox.search.writes.state import State
from storagebox.search.writes.tasks import Tasks

# How old a measurement of files may be.
_MEASURE_S: Final = 1.0
# Whoever is told to wait longer would do better to be told again.
_MAX_RETRY_S: Final = 30
_WRITE_NAMES: Final[Mapping[type, str]] = {
    Batch: "batch",
    ClearIndex: "clear",
    DeleteBy: "delete by query",
}


class Admission:
    """The gate of one application. Any thread may ask."""

    def __init__(self, folder: Path, limits: Limits, tasks: Tasks, state: State) -> None:
        self._folder = folder
        self._limits = limits
        self._tasks = tasks
        self._state = state
        self.quota = Quota()
        self._records = 0  # as of when nothing waited to be applied
        self._taken = 0  # let in since, whether they are new or not
        self._stored_bytes = 0  # at _measured_s
        self._measured_s = -_MEASURE_S

    def check(self, operation: Operation, now_ms: int) -> None:
        """Raises Refused for an operation that isn't to be taken now; `now_ms` is Unix time."""
        self._check_room()
        self._check_state(operation, now_ms)
        self._check_names(operation)
        if adding := _adds(operation):
            self._check_quota()
            self._taken += adding

    def _check_room(self) -> None:
        limits = self._limits
        durable.check_room(self._folder, limits.disk_reserve_bytes)
        tasks, size_bytes, bytes_per_s = self._tasks.backlog()
        many = tasks >= limits.pending_operations
        if not many and size_bytes < limits.pending_bytes:
            return
        half_s = size_bytes / 2 / bytes_per_s if bytes_per_s else 10
        raise Refused(
            f"{'too many jobs' if many else 'job queue too large'}: {tasks} operations"
            f" ({size_bytes >> 20} MB) are not applied yet: slow down",
            429,
            max(1, min(_MAX_RETRY_S, int(half_s) + 1)),
        )

    def _check_names(self, operation: Operation) -> None:
        """Whether there may be an index more."""
        most = self.quota.indices
        if not most:
            return
        held = {*self._state.catalog.places, *self._tasks.pending()}
        new = _made(operation) - held
        if new and len(held) + len(new) > most:
            raise Refused(
                f"Index quota exceeded: {len(held)} of {most} are used. Delete some indices", 403
            )

    def _check_quota(self) -> None:
        """Whether more may be kept."""
        quota = self.quota
        if not quota.records and not quota.bytes:
            return
        if not (self._taken and self._tasks.backlog().tasks):
            self._measure()
        for what, held, most in (
            ("Record", self._records, quota.records),
            ("Storage", self._stored_bytes, quota.bytes),
        ):
            if most and held >= most:
                raise Refused(
                    f"{what} quota exceeded: {held} of {most} are used. Delete some records", 403
                )
        if quota.records and self._records + self._taken >= quota.records:
            # They may be records that were there before: applying them tells.
            raise Refused("Record quota nearly used up: wait for what was written before", 429, 1)

    def _measure(self) -> None:
        places = {view.place.folder: view.own for view in self._state.views.values()}
        self._records, self._taken = sum(map(len, places.values())), 0
        now_s = time.monotonic()
        if self.quota.bytes and now_s - self._measured_s >= _MEASURE_S:
            self._stored_bytes = sum(index.size_bytes() for index in places.values())
            self._measured_s = now_s

    def _check_state(self, operation: Operation, now_ms: int) -> None:
        """Refuse what can't be done as things are. What changes meanwhile, applying finds out."""
        catalog = self._state.catalog
        match operation:
            case AddKey() | UpdateKey() | DeleteKey() | RestoreKey():
                if operation.value == catalog.admin_key:
                    raise Refused("the admin API key is not to be changed here", 403)
                catalog.keys.check(operation, now_ms)
            case DeleteIndex() | CopyIndex() | MoveIndex():
                structure.check(self._state, operation)
            case SetSettings() if "replicas" in operation.settings:
                structure.check(self._state, operation)
            case Batch() | ClearIndex() | DeleteBy():
                for name in indices(operation):
                    place = catalog.places.get(name)
                    if place is not None and place.primary is not None:
                        kind = _WRITE_NAMES[type(operation)]
                        raise Refused(f"cannot apply the {kind} operation on a replica index", 403)
            case _:
                pass


def _adds(operation: Operation) -> int:
    """How many records there may be more."""
    match operation:
        case Batch(requests):
            return sum(request.action in CREATING for request in requests)
        case CopyIndex(_, _, scope):
            return not scope
        case _:
            return 0


def _made(operation: Operation) -> set[str]:
    """The indices that there are after it, of those that it speaks of."""
    match operation:
        case Batch(requests):
            return {request.index for request in requests if request.action in CREATING}
        case SetSettings(name, settings):
            return {name, *metas.replicas(settings)}
        case SaveItems(name):
            return {name}
        case CopyIndex(_, destination):
            return {destination}
        case _:  # a move makes a name, and takes one away
            return set()
