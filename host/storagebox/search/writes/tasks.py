"""Tasks: acknowledged, applied, waited for."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import Future
from typing import Final, NamedTuple

# Of the rate at which the log is applied, so much is what was measured last.
_NEWEST: Final = 0.2


class Backlog(NamedTuple):
    """What is acknowledged and isn't applied yet, and how fast that goes."""

    tasks: int
    size_bytes: int
    bytes_per_s: float  # 0 if nothing is known


class Tasks:
    """A task's id is the position of its entry in the log. Any thread may call."""

    def __init__(self, applied: int, last: int) -> None:
        self.applied = applied  # everything up to here is visible
        self.last = last  # the latest there is
        self._lock = threading.Lock()
        self._pending: dict[int, tuple[int, tuple[str, ...]]] = {}
        self._pending_bytes = 0
        self._bytes_per_s = 0.0
        self._advanced_s = time.monotonic()
        self._waiting: dict[Future[None], int] = {}

    def acknowledged(self, task_id: int, size_bytes: int, indices: tuple[str, ...]) -> None:
        """Note a write that lasts. One that was known already counts once."""
        with self._lock:
            if task_id > max(self.applied, self.last):
                self._pending[task_id] = (size_bytes, indices)
                self._pending_bytes += size_bytes
            self.last = max(self.last, task_id)

    def advanced(self, position: int) -> None:
        """Note that everything up to `position` is visible."""
        with self._lock:
            self.applied = max(self.applied, position)  # some of it may be done over
            done = [task for task in self._pending if task <= position]
            size = sum(self._pending.pop(task)[0] for task in done)
            self._pending_bytes -= size
            now_s = time.monotonic()
            if size:
                rate = size / max(now_s - self._advanced_s, 0.001)
                known = self._bytes_per_s or rate
                self._bytes_per_s = (1 - _NEWEST) * known + _NEWEST * rate
            self._advanced_s = now_s
            ready = [future for future, task in self._waiting.items() if task <= position]
        for future in ready:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    def backlog(self) -> Backlog:
        """How far applying is behind."""
        with self._lock:
            return Backlog(len(self._pending), self._pending_bytes, self._bytes_per_s)

    def pending(self) -> Counter[str]:
        """How many tasks each index waits for."""
        with self._lock:
            return Counter(name for _, names in self._pending.values() for name in names)

    def when(self, task_id: int) -> Future[None]:
        """Done when a task is published; who no longer waits cancels it."""
        future: Future[None] = Future()
        future.add_done_callback(self._forget)
        with self._lock:
            waits = task_id > self.applied
            if waits:
                self._waiting[future] = task_id
        if not waits:
            future.set_result(None)
        return future

    def wait(self, task_id: int, timeout_s: float) -> bool:
        """Wait until a task is published; False if it isn't by then."""
        future = self.when(task_id)
        try:
            future.result(timeout_s)
        except TimeoutError:
            future.cancel()
            return False
        return True

    def close(self) -> None:
        """Let nobody wait any more: their futures are cancelled."""
        with self._lock:
            waiting = list(self._waiting)
        for future in waiting:
            future.cancel()

    def _forget(self, future: Future[None]) -> None:
        with self._lock:
            self._waiting.pop(future, None)
