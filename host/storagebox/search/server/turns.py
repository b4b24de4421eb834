"""Whose work is next: applications take turns, so that one's flood is its own trouble.

Short work is done in the event loop, which saves handing it to a thread and back; what takes long
is done in threads, a few an application at most. Either way each application has a queue of its
own, bounded, and the queues are served in rotation: beside a flood, another's work waits for one
piece of the flood's, not for all of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final, TypeVar

from storagebox.search.writes.refused import Refused

T = TypeVar("T")

# What the event loop does in one go, before it looks at sockets again.
_SLICE_S: Final = 0.002
_RETRY_AFTER_S: Final = 1


@dataclass(slots=True)
class _Job:
    work: Callable[[], Any]
    done: asyncio.Future[Any]


@dataclass(slots=True, eq=False)
class Line:
    """One application's queue."""

    limit: int  # of waiting work
    slots: int  # of threads that it may have at once
    waiting: deque[_Job] = field(default_factory=deque[_Job])
    waiting_long: deque[_Job] = field(default_factory=deque[_Job])
    running: int = 0
    had_turn: bool = False  # since the event loop last looked at sockets

    def check(self) -> None:
        """Raises Refused if there is no room for more."""
        if len(self.waiting) + len(self.waiting_long) >= self.limit:
            raise Refused(
                f"Too many requests: {self.limit} of this application wait already: slow down",
                429,
                _RETRY_AFTER_S,
            )


class Turns:
    """The queues of all applications. Used within one event loop."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._executor: Executor = ThreadPoolExecutor(threads, "search")
        self._free = threads
        self._short: deque[Line] = deque()  # those with short work that waits, in rotation
        self._long: deque[Line] = deque()
        self._had: list[Line] = []
        self._scheduled = False

    async def short(self, line: Line, work: Callable[[], T]) -> T:
        """Do it in the event loop when it is this application's turn. Raises Refused."""
        if not line.had_turn and not line.waiting:
            self._mark(line)
            return work()
        line.check()
        job = _Job(work, asyncio.get_running_loop().create_future())
        if not line.waiting:
            self._short.append(line)
        line.waiting.append(job)
        self._schedule()
        return await job.done

    async def long(self, line: Line, work: Callable[[], T]) -> T:
        """Do it in a thread when it is this application's turn. Raises Refused."""
        line.check()
        job = _Job(work, asyncio.get_running_loop().create_future())
        if not line.waiting_long:
            self._long.append(line)
        line.waiting_long.append(job)
        self._start_long()
        return await job.done

    def close(self) -> None:
        """Let what was begun be done."""
        self._executor.shutdown()

    def _mark(self, line: Line) -> None:
        line.had_turn = True
        self._had.append(line)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._round)

    def _round(self) -> None:
        """A slice of what waits, one piece an application at a time."""
        self._scheduled = False
        for line in self._had:
            line.had_turn = False
        self._had.clear()
        until = perf_counter() + _SLICE_S
        while self._short:
            line = self._short.popleft()
            job = line.waiting.popleft()
            if line.waiting:
                self._short.append(line)
            if not job.done.done():
                _do(job)
            self._mark(line)
            if perf_counter() >= until:
                break
        if self._short:
            self._schedule()

    def _start_long(self) -> None:
        loop = asyncio.get_running_loop()
        held: list[Line] = []
        while self._free and self._long:
            line = self._long.popleft()
            if line.running >= line.slots:
                held.append(line)
                continue
            job = line.waiting_long.popleft()
            if line.waiting_long:
                self._long.append(line)
            if job.done.done():  # nobody waits for it any more
                continue
            line.running += 1
            self._free -= 1
            future = loop.run_in_executor(self._executor, job.work)
            future.add_done_callback(lambda done, line=line, job=job: self._ended(line, job, done))
        self._long.extend(held)

    def _ended(self, line: Line, job: _Job, done: asyncio.Future[Any]) -> None:
        line.running -= 1
        self._free += 1
        if not job.done.done():
            if (fault := done.exception()) is not None:
                job.done.set_exception(fault)
            else:
                job.done.set_result(done.result())
        self._start_long()


def _do(job: _Job) -> None:
    try:
        result = job.work()
    except Exception as fault:
        job.done.set_exception(fault)
    else:
        job.done.set_result(result)
