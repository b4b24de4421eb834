"""Watches many sockets for the event loop, in few wake-ups.

A device answers audio with small WINDOW frames at times of its own; with 150 devices the loop
would wake thousands of times a second for 12 bytes each. Here all their sockets hang on one epoll
descriptor, which is a descriptor the loop can watch like any other. After it fired, it is let
rest for REST_S: what comes meanwhile is read in one go. An idle box still answers at once.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

# Rest after a sweep: short against any lead and against a person's 100 ms for a volume change.
REST_S = 0.005


class Sweep:
    """An epoll set of sockets inside an event loop. `close` when done."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rest_s: float = REST_S) -> None:
        self._loop = loop
        self._rest_s = rest_s
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._rest: asyncio.TimerHandle | None = None
        self._closed = False
        loop.add_reader(self._epoll.fileno(), self._fire)

    def add(self, descriptor: int, callback: Callable[[int], None]) -> None:
        """Call callback(event mask) when `descriptor` can be read, has closed or has failed."""
        self._callbacks[descriptor] = callback
        self._epoll.register(descriptor, select.EPOLLIN)

    def want_write(self, descriptor: int, wanted: bool) -> None:
        """Call back when the socket can be written as well, until told otherwise."""
        mask = select.EPOLLIN | select.EPOLLOUT if wanted else select.EPOLLIN
        self._epoll.modify(descriptor, mask)

    def remove(self, descriptor: int) -> None:
        """Forget a descriptor; call it before closing the socket."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Stop watching. The sockets stay open."""
        if self._closed:
            return
        self._closed = True
        if self._rest:
            self._rest.cancel()
        else:
            self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _fire(self) -> None:
        for descriptor, mask in self._epoll.poll(0, len(self._callbacks) + 1):
            callback = self._callbacks.get(descriptor)
            if callback:  # an earlier callback of this round may have removed it
                callback(mask)
        if not self._closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._rest = self._loop.call_later(self._rest_s, self._wake)

    def _wake(self) -> None:
        self._rest = None
        self._loop.add_reader(self._epoll.fileno(), self._fire)
