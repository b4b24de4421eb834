"""One tenant on this machine: a folder with its log, its indices, its keys.

log.sqlite    the log: what was acknowledged
catalog       which indices there are, keys
indices/      a folder an index
snapshots/    from which an index is made anew
"""

from __future__ import annotations

import fcntl
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

from storagebox.search.engine.index import Index
from storagebox.search.writes import catalog as catalogs
from storagebox.search.writes import chunks, durable
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.admission import Admission
from storagebox.search.writes.applying import SNAPSHOT_BYTES, Applying
from storagebox.search.writes.catalog import Catalog
from storagebox.search.writes.indices import Exhausted, Report
from storagebox.search.writes.keys import Keys, new_secret
from storagebox.search.writes.log import Log, LoopThread
from storagebox.search.writes.operations import (
    Operation,
    encode,
    indices,
)
from storagebox.search.writes.quotas import Quota
from storagebox.search.writes.refused import Refused
from storagebox.search.writes.snapshots import Snapshots
from storagebox.search.writes.state import State, View
from storagebox.search.writes.tasks import Tasks
from storagebox.store.interface import StoreError
from storagebox.store.sqlite import SqliteStore

LOG_FILE: Final = "log.sqlite"
_LOCK_FILE: Final = "lock"
# A log that was lost may have given out task ids that were never applied; none is given out twice.
_LOST_TASKS: Final = 1_000_000
_FAILURES_KEPT: Final = 1000


class Unavailable(Exception):
    """An application can't be opened; the message names the thing, the fault and the remedy."""


class Application:
    """Make one by `open`. All methods may be called by any thread."""

    def __init__(
        self,
        folder: Path,
        app_id: str,
        clock: Callable[[], float],
        limits: Limits,
        report: Report,
    ) -> None:
        self.folder = folder
        self.app_id = app_id
        self.limits = limits
        self.failures: deque[dict[str, Any]] = deque(maxlen=_FAILURES_KEPT)
        self._clock = clock
        self._told = report
        self._own_thread: LoopThread | None = None
        self._held: IO[bytes] | None = None
        self._closed = False

    @classmethod
    def open(
        cls,
        folder: Path,
        app_id: str,
        *,
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
        report: Report | None = None,
        thread: LoopThread | None = None,
        admin_key: str | None = None,
        snapshot_bytes: int = SNAPSHOT_BYTES,
    ) -> Application:
        """Open the application in `folder`, made if there is none.

        `clock` tells Unix time in seconds; `thread` is where the log lives, or one is made;
        `admin_key` is the key that may do everything, or one is made the first time.
        `snapshot_bytes` is how much the log may grow before a snapshot lets it be cut. Raises
        Unavailable.
        """
        app = cls(folder, app_id, clock, limits or Limits(), report or _unheard)
        try:
            app._open(thread, admin_key, snapshot_bytes)
        except BaseException:
            app._let_go()
            raise
        return app

    def _open(self, thread: LoopThread | None, admin_key: str | None, snapshot_bytes: int) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._held = (self.folder / _LOCK_FILE).open("wb")
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable(
                f"{self.folder}: another process has this application open: stop it first"
            ) from None
        except OSError as fault:
            raise Unavailable(f"{fault}: is the folder writable?") from None
        if thread is None:
            thread = self._own_thread = LoopThread()
        self._snapshots = Snapshots(self.folder, self._report)
        self._snapshots.open()
        catalog, tidy = self._catalog(admin_key)
        if catalog.application != self.app_id:
            raise Unavailable(
                f"{self.folder}: it is the application {catalog.application}, not {self.app_id}"
            )
        self._state = State(self.folder, catalog, self.limits, self._report)
        try:
            self._state.open(tidy)
        except (Exhausted, OSError) as fault:
            raise Unavailable(f"{fault}: mend that, and start again") from fault
        self._log = Log(thread, thread.run(self._store()))
        last = self._go_on()
        if not (self.folder / catalogs.FILE).exists():
            self._state.save(catalog.applied)
        self._tasks = Tasks(catalog.applied, last)
        self._admission = Admission(self.folder, self.limits, self._tasks, self._state)
        self._applying = Applying(
            self._state,
            self._log,
            self._snapshots,
            self._report,
            self._tasks.advanced,
            snapshot_bytes,
        )
        self._applying.start()

    async def _store(self) -> SqliteStore:
        try:
            return await SqliteStore.open(
                self.folder / LOG_FILE,
                lambda reason: self._report("log.damaged", reason=reason),
                self._clock,
            )
        except StoreError as fault:
            raise Unavailable(str(fault)) from fault

    def _catalog(self, admin_key: str | None) -> tuple[Catalog, bool]:
        """The catalog, and whether it is the latest."""
        try:
            found = catalogs.load(self.folder, self.limits.keys)
        except durable.DamagedFileError as fault:
            self._report("catalog.damaged", reason=str(fault))
            if (manifest := self._snapshots.manifest) is not None:
                return manifest.read_catalog(self.limits.keys), False
            raise Unavailable(f"{fault}, and there is no snapshot: restore a backup") from None
        if found is None:
            new = Catalog(self.app_id, Keys(self.limits.keys), admin_key or new_secret())
            return new, True
        catalog, latest = found
        if not latest:
            self._report("catalog.damaged", reason="the one before it is used")
        if admin_key is not None:
            catalog.admin_key = admin_key
        return catalog, latest

    def _go_on(self) -> int:
        """The log's last position: behind everything that is applied, should it have been lost."""
        first, last = self._log.bounds()
        open_indices = self._state.indices.all().values()
        applied = max((index.applied for index in open_indices), default=0)
        applied = max(applied, self._state.catalog.applied)
        if last >= applied and first <= self._state.catalog.applied + 1:
            return last
        self._report("log.lost", applied=applied, first=first, last=last)
        self._log.trim(last + 1)
        last = max(applied, last) + _LOST_TASKS
        self._log.begin(last + 1)
        self._state.save(last)
        return last

    def close(self) -> None:
        """Stop applying, and let go of everything; what is acknowledged is kept."""
        if self._closed:
            return
        self._closed = True
        self._applying.close()
        self._let_go()
        self._tasks.close()

    def _let_go(self) -> None:
        for name in ("_snapshots", "_state", "_log"):
            if (part := getattr(self, name, None)) is not None:
                part.close()
        if self._own_thread is not None:
            self._own_thread.close()
        if self._held is not None:
            self._held.close()

    # Writing

    def submit(self, operation: Operation, op_id: str | None = None) -> int:
        """Write, and return the task's id once it is durable. Raises Refused.

        The same `op_id` again is the same task, and isn't applied twice.
        """
        return self.accept(operation, op_id).result()

    def accept(self, operation: Operation, op_id: str | None = None) -> Future[int]:
        """As `submit`, without waiting: the task's id, or Refused, is in the future.

        Raises Refused at once where it is known at once. Some 4 ms for a thousand small records
        are spent here, on JSON and compression: large ones are nothing for an event loop's thread.
        """
        if self._closed:
            raise Refused("this application is closed", 503)
        if (fault := self._applying.fault) is not None:
            raise Refused(f"no writes can be taken: {fault}", 503)
        now_ms = int(self._clock() * 1000)
        self._admission.check(operation, now_ms)
        payload = encode(operation, now_ms)
        if len(payload) > self.limits.operation_bytes:
            raise Refused(
                f"{len(payload)} bytes in one request are over {self.limits.operation_bytes}:"
                " cut it up",
                413,
            )
        records = chunks.split(payload)
        size, names = sum(map(len, records)), indices(operation)
        appended = self._log.append(records, op_id or uuid4().hex)
        accepted: Future[int] = Future()

        def done(future: Future[int]) -> None:
            try:
                task_id = future.result()
            except BaseException as fault:
                accepted.set_exception(Refused(f"the write could not be kept: {fault}", 503, 1))
                return
            self._tasks.acknowledged(task_id, size, names)
            accepted.set_result(task_id)

        appended.add_done_callback(done)
        return accepted

    @property
    def quota(self) -> Quota:
        """How much it may hold; what is beyond it is refused."""
        return self._admission.quota

    @quota.setter
    def quota(self, quota: Quota) -> None:
        self._admission.quota = quota

    # Tasks

    @property
    def applied(self) -> int:
        """The task up to which everything is visible."""
        return self._tasks.applied

    @property
    def last(self) -> int:
        """The latest task."""
        return self._tasks.last

    def task(self, index: str, task_id: int) -> str:
        """'published' once what the task asks for is visible; whichever index it is about."""
        return "published" if task_id <= self._tasks.applied else "notPublished"

    def wait(self, task_id: int, timeout_s: float) -> bool:
        """Wait until a task is published; False if it isn't by then."""
        return self._tasks.wait(task_id, timeout_s)

    def when(self, task_id: int) -> Future[None]:
        """Done when a task is published; cancelled if the application is closed before.

        Who no longer waits cancels it.
        """
        return self._tasks.when(task_id)

    # Reading

    @property
    def keys(self) -> Keys:
        """The API keys as they are now."""
        return self._state.catalog.keys

    @property
    def admin_key(self) -> str:
        """The key that may do everything."""
        return self._state.catalog.admin_key

    @property
    def dictionaries(self) -> Mapping[str, Mapping[str, Any]]:
        """The entries of each dictionary by their objectID."""
        return self._state.catalog.dictionaries

    @property
    def dictionary_settings(self) -> Mapping[str, Any]:
        """The settings of all dictionaries, those that were set."""
        return self._state.catalog.dictionary_settings

    def view(self, name: str) -> View | None:
        """An index as it is to be searched, or None. Raises Refused while it is damaged."""
        view = self._state.views.get(name)
        if view is not None and not view.place.lost:
            return view
        if view is None and name not in self._state.damaged:
            return None  # or it is being made, and isn't there yet
        if view is not None:
            raise Refused(
                f"Index {name} was damaged, and could not be rebuilt: clear it, then import again",
                503,
            )
        raise Refused(f"Index {name} is damaged and being rebuilt: try again", 503, 5)

    def index(self, name: str) -> Index | None:
        """Where the records that an index shows are. Raises Refused while it is damaged."""
        view = self.view(name)
        return None if view is None else view.index

    def meta(self, name: str, scope: str) -> Any:
        """An index's settings, synonyms or rules as JSON, or None. Raises as `view` does."""
        view = self.view(name)
        return None if view is None else view.meta(scope)

    def indices(self) -> list[dict[str, Any]]:
        """All indices as GET /1/indexes lists them, by name."""
        pending = self._tasks.pending()
        places = self._state.catalog.places
        listed: list[dict[str, Any]] = []
        for name, place in sorted(places.items()):
            view = self._state.views.get(name)
            tasks = pending[name]
            own = view.own if view is not None else None
            item: dict[str, Any] = {
                "name": name,
                "createdAt": iso(place.created_ms),
                "updatedAt": iso(place.updated_ms),
                "entries": len(view.index) if view is not None else 0,
                "dataSize": own.data_bytes() if own is not None else 0,
                "fileSize": own.size_bytes() if own is not None else 0,
                "lastBuildTimeS": round(own.build_s) if own is not None else 0,
                "numberOfPendingTasks": tasks,
                "pendingTask": tasks > 0,
            }
            if place.primary is not None:
                item["primary"] = place.primary
            if place.virtual:
                item["virtual"] = True
            if replicas := [n for n, other in places.items() if other.primary == name]:
                item["replicas"] = replicas
            listed.append(item)
        return listed

    @property
    def fault(self) -> str | None:
        """Why nothing can be written any more, or is applied just now; None if all is well."""
        return self._applying.fault or self._applying.waits_for

    def _report(self, event: str, /, **fields: Any) -> None:
        if event == "task.failed":
            self.failures.append(fields)
        self._told(event, application=self.app_id, **fields)


def iso(at_ms: int) -> str:
    """A time as the API writes it: RFC 3339 in UTC, with milliseconds."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def _unheard(event: str, /, **fields: Any) -> None:
    """For who wants to know nothing."""
