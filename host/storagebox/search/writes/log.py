"""An application's log for threads: one named log of a store, which lives in an event loop.

The loop has a thread of its own, shared by all applications of a process. Whoever appends gets a
future, and waits or goes on as it likes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from typing import Any, Final, TypeVar

from storagebox.store.interface import Record, Store

T = TypeVar("T")

NAME: Final = "search"


class LoopThread:
    """An event loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="search-log", daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have it done there."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Have it done there, and wait."""
        return self.start(work).result()

    def close(self) -> None:
        """Stop it; whatever it still did is cancelled."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())


class Log:
    """The log of one application. All methods may be called by any thread but the loop's."""

    def __init__(self, thread: LoopThread, store: Store) -> None:
        self._thread = thread
        self._store = store

    def append(self, records: Sequence[bytes], operation: str) -> Future[int]:
        """Append records, once for an operation; the index of the last. See Store.append."""
        return self._thread.start(self._store.append(NAME, records, operation=operation))

    def bounds(self) -> tuple[int, int]:
        """(first index held, last index); see Store.bounds."""
        return self._thread.run(self._store.bounds(NAME))

    def read(self, first: int) -> list[Record]:
        """A page of records from `first` on; see Store.read."""
        return self._thread.run(self._store.read(NAME, first))

    def trim(self, before: int) -> None:
        """Let go of records below `before`."""
        self._thread.run(self._store.trim(NAME, before))

    def begin(self, first: int) -> None:
        """Number the next record `first`; see Store.begin."""
        self._thread.run(self._store.begin(NAME, first))

    def tail(self, first: int) -> Tail:
        """All records from `first` on, as they come."""
        return Tail(self._thread, self._store.tail(NAME, first))

    def close(self) -> None:
        """Let go of the store."""
        self._thread.run(self._store.close())


class Tail:
    """Pages of a log. Used by one thread."""

    def __init__(self, thread: LoopThread, pages: AsyncIterator[list[Record]]) -> None:
        self._thread = thread
        self._pages = pages
        self._next: Future[list[Record]] | None = None

    def next(self, stop: Future[None], timeout_s: float | None = None) -> list[Record] | None:
        """The next page; None if there is none in time, or `stop` is done first.

        Raises what the store does.
        """
        self.prefetch()
        assert self._next is not None
        either: list[Future[Any]] = [self._next, stop]
        wait(either, timeout_s, FIRST_COMPLETED)
        if stop.done() or not self._next.done():
            return None
        page, self._next = self._next, None
        return page.result()

    @property
    def waiting(self) -> bool:
        """Whether a page is there already."""
        return self._next is not None and self._next.done()

    def prefetch(self) -> None:
        """Have the next page fetched meanwhile."""
        if self._next is None:
            self._next = self._thread.start(self._fetch())

    def close(self) -> None:
        """Wait for no more pages."""
        if self._next is not None:
            self._next.cancel()
            try:
                self._next.result()
            except (CancelledError, Exception):
                return

    async def _fetch(self) -> list[Record]:
        return await anext(self._pages, [])
