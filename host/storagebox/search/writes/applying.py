"""The thread that applies an application's log, and what it does when something goes wrong.

It follows the log from `catalog.applied`, commits what has come, and goes on. Whatever fails, it
begins again from there: an index skips what it holds already. A full disk it waits out; a damaged
index it has made anew; an operation that cannot be applied it reports and passes over.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from storagebox.search.writes import durable
from storagebox.search.writes.catalog import Place
from storagebox.search.writes.chunks import Joiner, Payload, Unreadable
from storagebox.search.writes.indices import Exhausted, IndexDamaged, Report
from storagebox.search.writes.log import Log
from storagebox.search.writes.operations import decode
from storagebox.search.writes.rebuild import rebuild
from storagebox.search.writes.snapshots import Snapshots, Unusable
from storagebox.search.writes.state import State
from storagebox.store.interface import DamagedError, Record, StoreError

# A commit costs the same whatever is in it: after one, wait for more to come, but no longer than
# this, and only so long that commits take at most a quarter of the time.
WINDOW_S: Final = 0.1
_PAUSES_PER_COMMIT: Final = 3
# The catalog is written this often, so that a start has little of the log to read again.
_SAVE_ENTRIES: Final = 1000
_SAVE_IDLE_S: Final = 5.0
# A snapshot is taken when the log has grown by this, or by the size of the last one if that is
# more: so at most half of all that is written is snapshots.
SNAPSHOT_BYTES: Final = 64 << 20
# What fails is tried again soon, then less often.
_RETRY_S: Final = (0.1, 1.0, 5.0)
# As often an entry may damage an index before it is passed over.
_MAX_TRIES: Final = 2


class Applying:
    """Applies `log` to `state` until closed. `advanced` is told each position that is visible."""

    def __init__(
        self,
        state: State,
        log: Log,
        snapshots: Snapshots,
        report: Report,
        advanced: Callable[[int], None],
        snapshot_bytes: int = SNAPSHOT_BYTES,
    ) -> None:
        self.fault: str | None = None  # why nothing is applied any more
        self.waits_for: str | None = None  # why nothing is applied just now
        self._state = state
        self._log = log
        self._snapshots = snapshots
        self._report = report
        self._advanced = advanced
        self._snapshot_bytes = snapshot_bytes
        self._stop: Future[None] = Future()
        self._committed = state.catalog.applied
        self._trying = self._committed  # the entry that is being applied, or was last
        self._failures = 0
        self._snapshot_of: int | None = None  # one that is being written
        self._log_bytes = 0  # applied since the last snapshot
        self._tries: dict[int, int] = {}
        self._thread = threading.Thread(target=self._run, name="search-apply", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop soon, with everything that was begun committed."""
        if not self._stop.done():
            self._stop.set_result(None)
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.done():
            try:
                self._recover()
                self._follow()
            except IndexDamaged as fault:
                self._count(self._trying)
                self._state.indices.mark_damaged(fault.folder, fault.reason)
                self._state.publish()
            except DamagedError as fault:
                self.fault = str(fault)
                self._report("log.damaged", reason=self.fault)
                break
            except (Exhausted, StoreError, OSError) as fault:
                self._wait_for(fault)
            except Exception as fault:  # ours: it must be told, and must not stop the log
                told = "".join(traceback.format_exception(fault))
                self._report("fault", reason=told, position=self._trying)
                self._count(self._trying)
                self._back_off()
            self._state.indices.forget_pending()
        self._finish()

    def _wait_for(self, fault: Exception) -> None:
        """Hold on until it is mended: a full disk, say."""
        if self.waits_for is None:
            self._report(
                "applying.waits",
                reason=f"{fault} ({durable.room_bytes(self._state.folder) >> 20} MB of the disk"
                " are free): free some room, or mend that. Nothing is lost, searches go on, and"
                f" it is tried again every {_RETRY_S[-1]:g} s",
            )
        self.waits_for = str(fault)
        self._back_off()

    def _go_on(self) -> None:
        if self.waits_for is not None:
            self._report("applying.goes_on")
        self.waits_for = None
        self._failures = 0

    def _back_off(self) -> None:
        self._pause(_RETRY_S[min(self._failures, len(_RETRY_S) - 1)])
        self._failures += 1

    def _finish(self) -> None:
        try:
            self._save()
        except OSError as fault:
            self._report("catalog.failed", reason=str(fault))

    def _recover(self) -> None:
        """Have all indices whole, and begin behind `catalog.applied`."""
        state = self._state
        for folder in list(state.indices.damaged):
            state.indices.open_one(folder)
            if folder in state.indices.damaged:
                self._rebuild(folder)
        state.publish()
        self._committed = self._trying = state.catalog.applied

    def _rebuild(self, folder: str) -> None:
        state = self._state
        reason = state.indices.damaged[folder]
        began = time.monotonic()
        try:
            rebuild(state, self._snapshots, self._log, folder)
            state.indices.open_one(folder)
            if folder in state.indices.damaged:
                raise Unusable(state.indices.damaged[folder])
        except (Exhausted, StoreError):
            raise
        except Exception as fault:  # what there is is of no use, whichever way
            if durable.is_exhausted(state.folder, fault):
                raise Exhausted(str(fault)) from fault
            self._give_up(folder, reason, fault)
            return
        took_ms = int((time.monotonic() - began) * 1000)
        self._report("index.rebuilt", folder=folder, took_ms=took_ms)

    def _give_up(self, folder: str, reason: str, fault: Exception) -> None:
        """An index that can't be had back is empty, and says so until it is cleared."""
        state = self._state
        kept = state.indices.set_aside(folder)
        state.indices.build(folder, 0, ())
        state.indices.damaged.pop(folder, None)
        for name, place in state.catalog.places.items():
            if place.folder == folder:
                lost = Place(
                    folder,
                    place.created_ms,
                    place.updated_ms,
                    place.primary,
                    place.virtual,
                    lost=True,
                )
                state.catalog.put(name, lost)
                self._report(
                    "index.lost", index=name, reason=reason, rebuild=str(fault), kept=str(kept)
                )
        state.save(state.catalog.applied)

    def _follow(self) -> None:
        joiner = Joiner()
        tail = self._log.tail(self._committed + 1)
        pause_s = 0.0
        try:
            while not self._stop.done():
                self._pause(pause_s)
                pause_s = 0.0
                page = tail.next(self._stop, _SAVE_IDLE_S)
                if not page:
                    self._tidy()
                    continue
                if len(page) >= 1000:
                    tail.prefetch()
                began = time.monotonic()
                count = self._apply(joiner, page)
                self._commit()
                # One alone is likely to be waited for before the next is sent.
                if count > 1 and not tail.waiting:
                    took_s = time.monotonic() - began
                    pause_s = min(WINDOW_S, took_s * _PAUSES_PER_COMMIT)
        finally:
            tail.close()

    def _apply(self, joiner: Joiner, page: Sequence[Record]) -> int:
        """Apply the operations that end in `page`; returns how many there were."""
        count = 0
        for payload in joiner.join(page):
            count += 1
            self._trying = payload.position
            if isinstance(payload, Unreadable):
                self._report("log.entry_damaged", task=payload.position, reason=str(payload))
            else:
                self._log_bytes += payload.stored_bytes
                self._apply_one(payload)
        return count

    def _apply_one(self, payload: Payload) -> None:
        position = payload.position
        if self._tries.get(position, 0) >= _MAX_TRIES:
            self._report("task.failed", task=position, reason="applying it failed: see the log")
            return
        try:
            operation, at_ms = decode(payload.data)
        except ValueError as fault:
            self._report("log.entry_damaged", task=position, reason=str(fault))
            return
        self._state.apply(position, operation, at_ms)
        if self._tries:
            self._flush()  # one by one, to find out which it is

    def _count(self, position: int) -> None:
        self._tries[position] = self._tries.get(position, 0) + 1

    def _commit(self) -> None:
        state = self._state
        self._flush()
        self._committed = self._trying
        self._go_on()
        self._tries = {p: n for p, n in self._tries.items() if p > self._committed}
        self._advanced(self._committed)
        if self._committed >= state.catalog.applied + _SAVE_ENTRIES:
            self._save()
        self._state.indices.release()
        self._snapshot()

    def _flush(self) -> None:
        self._state.flush()
        for folder, reason in self._state.indices.damaged.items():
            raise IndexDamaged(folder, reason)

    def _save(self) -> None:
        if self._committed > self._state.catalog.applied:
            self._state.save(self._committed)

    def _tidy(self) -> None:
        """What may be done when there is nothing else to do."""
        self._save()
        self._go_on()
        self._state.indices.release()
        self._snapshot()

    def _snapshot(self) -> None:
        """Begin one if the log has grown enough; let go of the log below one that is done."""
        snapshots, state = self._snapshots, self._state
        if snapshots.busy:
            return
        manifest = snapshots.manifest
        if self._snapshot_of is not None:
            if manifest is not None and manifest.position == self._snapshot_of:
                # Twice: the catalog that is kept as the previous one must not need what goes.
                state.save(self._committed)
                state.save(self._committed)
                self._log.trim(manifest.position + 1)
                self._report(
                    "snapshot.taken", position=manifest.position, bytes=manifest.size_bytes
                )
            self._snapshot_of = None
        held_bytes = manifest.size_bytes if manifest is not None else 0
        if self._log_bytes >= max(self._snapshot_bytes, held_bytes):
            self._save()
            self._log_bytes = 0
            self._snapshot_of = self._committed
            snapshots.begin(state.catalog.copy(), state.indices.all())

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            try:
                self._stop.result(seconds)
            except TimeoutError:
                return
