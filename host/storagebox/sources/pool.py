"""Sources for any number of sessions, one of them always warm: a command is heard at once.

A source that a session has done with becomes the spare, unless there is one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from .process import SourceProcess
from .source import SourceError

# Warming up takes a core for a moment; a session that begins needs it more.
WARM_AFTER_S = 2.0


class SourcePool:
    """`take` one, and `give_back` when done; `close` ends all, those in use as well."""

    def __init__(self, make: Callable[[], SourceProcess] = SourceProcess) -> None:
        self._make = make
        self._spare: SourceProcess | None = None
        self._all: set[SourceProcess] = set()
        self._warming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Have the first one warm. Raises SourceError if it doesn't come up."""
        self._spare = self._new()
        await self._spare.start()

    def take(self) -> SourceProcess:
        """A source for one session."""
        source, self._spare = self._spare or self._new(), None
        if self._warming is None or self._warming.done():
            self._warming = asyncio.ensure_future(self._warm())
        return source

    async def give_back(self, source: object) -> None:
        """Its session is over."""
        if not isinstance(source, SourceProcess) or source not in self._all:
            return
        if self._spare is None:
            self._spare = source
            await source.stop()
        else:
            self._all.discard(source)
            await source.close()

    async def close(self) -> None:
        """End all processes."""
        if self._warming:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        sources, self._all, self._spare = list(self._all), set(), None
        await asyncio.gather(*(source.close() for source in sources))

    def _new(self) -> SourceProcess:
        source = self._make()
        self._all.add(source)
        return source

    async def _warm(self) -> None:
        await asyncio.sleep(WARM_AFTER_S)
        if self._spare is not None:
            return
        self._spare = spare = self._new()
        with suppress(SourceError):  # the session that gets it tries again, and is told
            await spare.start()
