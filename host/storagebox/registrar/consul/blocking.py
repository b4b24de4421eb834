"""Blocking queries: a client waits until there is news, the time is up, or it has gone.

Source: Consul's `blockingQuery` (agent/consul/rpc.go): 5 minutes unless asked otherwise, 10 at
most, and up to a sixteenth of it more, so that clients that began together don't return together.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from typing import Final

from .refused import Refused
from .wakes import Wakes

DEFAULT_WAIT_S: Final = 300.0
MAX_WAIT_S: Final = 600.0
_JITTER: Final = 16
_TOO_MANY: Final = (
    "Your IP is issuing too many concurrent connections, please rate limit your calls\n"
)


# The topic of the end of all waiting.
END: Final = "end"


class Gone(Exception):
    """The client went away while it waited."""


class Waiting:
    """All that wait, with a limit for all and one for each address."""

    def __init__(self, limit: int, limit_each: int, chance: Callable[[], float]) -> None:
        """`chance` gives numbers from 0 up to 1."""
        self._limit = limit
        self._limit_each = limit_each
        self._chance = chance
        self._by_address: Counter[str] = Counter()
        self.count = 0
        self.has_ended = False

    def end(self, wakes: Wakes) -> None:
        """Let all that wait be answered now, whatever there is."""
        self.has_ended = True
        wakes((END,))

    def wait_s(self, asked_s: float) -> float:
        """How long a client that asked for so much is to wait, jitter included."""
        wait_s = min(asked_s, MAX_WAIT_S) if asked_s > 0 else DEFAULT_WAIT_S
        return wait_s * (1 + self._chance() / _JITTER)

    @contextmanager
    def place(self, address: str) -> Generator[None]:
        """A place for one that waits. Raises Refused (429) if there is none."""
        if self.count >= self._limit or self._by_address[address] >= self._limit_each:
            raise Refused(429, _TOO_MANY)
        self.count += 1
        self._by_address[address] += 1
        try:
            yield
        finally:
            self.count -= 1
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]


async def until(
    news: Callable[[], bool],
    wakes: Wakes,
    topics: Iterable[str],
    waiting: Waiting,
    wait_s: float,
    gone: Callable[[], Awaitable[object]],
) -> None:
    """Return once `news()`, or after about `wait_s`. Raises Gone when `gone()` returns first."""
    woken = asyncio.Event()
    end = wakes.watch((*topics, END), woken.set)
    leaving = asyncio.ensure_future(gone())
    leaving.add_done_callback(lambda _: woken.set())
    try:
        async with asyncio.timeout(waiting.wait_s(wait_s)):
            while not news() and not waiting.has_ended:
                woken.clear()
                if leaving.done():
                    raise Gone
                await woken.wait()
    except TimeoutError:
        return
    finally:
        end()
        leaving.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await leaving
