"""Time of an event loop's own, which stands still while the machine keeps the loop from running.

A box and its stand-in devices in one loop meet no deadline on a machine that gives them a fifth
of a processor, and that would be all that their test had found. So the time by which all of them
go is made of the loop's own work and of its waiting, as long as it meant to wait. Whether a box
keeps time on a real clock is for the tests that run it as a process of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# How exactly a machine sleeps: epoll counts milliseconds.
_EXACT_NS = 2_000_000


class OwnTime:
    """A clock for the thread that makes it; it begins as the monotonic one."""

    def __init__(self) -> None:
        self._own_ns = self._seen_ns = time.monotonic_ns()
        self._worked_ns = time.thread_time_ns()

    def now_ns(self) -> int:
        """As time.monotonic_ns."""
        return self._own_ns + time.thread_time_ns() - self._worked_ns

    def now_us(self) -> int:
        """House time of a box that carries on no other timeline."""
        return self.now_ns() // 1000

    def now_s(self) -> float:
        """As a loop's time."""
        return self.now_ns() / 1e9

    def waited(self, meant_s: float | None) -> None:
        """The loop goes on, having meant to wait so long at most; None: until somebody calls."""
        seen_ns, worked_ns = time.monotonic_ns(), time.thread_time_ns()
        work_ns = worked_ns - self._worked_ns
        rest_ns = seen_ns - self._seen_ns - work_ns
        if meant_s is not None:
            rest_ns = min(rest_ns, round(meant_s * 1e9) + _EXACT_NS)
        self._own_ns += work_ns + max(0, rest_ns)
        self._seen_ns, self._worked_ns = seen_ns, worked_ns


@contextmanager
def own_time(loop: asyncio.AbstractEventLoop) -> Iterator[OwnTime]:
    """Have a running loop go by its own time until the block ends."""
    made: Any = loop
    own = OwnTime()
    select = made._selector.select

    def watched(timeout: float | None = None) -> Any:
        events = select(timeout)
        own.waited(timeout)
        return events

    made.time, made._selector.select = own.now_s, watched
    try:
        yield own
    finally:
        del made.time, made._selector.select
