"""A store in one SQLite file, for a box by itself.

A write-ahead log synchronised at each commit (https://sqlite.org/wal.html, PRAGMA synchronous):
what has been acknowledged survives the loss of power. All work is done by one thread, so the event
loop never waits for a disk. Watchers are told by the process itself: a file has one box.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from .interface import (
    MAX_COMMIT_CHANGES,
    PAGE_BYTES,
    Change,
    CompactedError,
    ConflictError,
    DamagedError,
    Entry,
    Record,
    StoreError,
    UnavailableError,
    checked_key,
    checked_value,
)
from .sqlite_file import SqliteFile
from .sqlite_logs import Append, Logs

T = TypeVar("T")

# Deleted keys are remembered so that a watcher learns of them; beyond these, the oldest are not.
MAX_DELETIONS = 1000
_WATCH_PAGE = 256


class SqliteStore:
    """`interface.Store` in the file at `path`. Make one by `open`.

    `clock` tells Unix time in seconds: how old an operation id is.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._file = SqliteFile(path)
        self._logs = Logs(self._file, clock)
        self._appends: list[tuple[Append, asyncio.Future[int]]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._closed = False
        self._written = asyncio.Event()  # replaced at each commit

    @classmethod
    async def open(
        cls,
        path: Path,
        set_aside: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> SqliteStore:
        """Open the store, made if it does not exist.

        A damaged file raises DamagedError; with `set_aside` it is renamed instead, a new one made,
        and the reason told. Raises UnavailableError if the file can't be had.
        """
        store = cls(path, clock)
        try:
            try:
                await store._run(store._file.open)
            except DamagedError as fault:
                if set_aside is None:
                    raise
                kept = await store._run(store._file.set_aside)
                set_aside(f"{fault}; it is kept as {kept}, and a new one begun")
                await store._run(store._file.open)
        except BaseException:
            store._thread.shutdown()
            raise
        return store

    async def close(self) -> None:
        """Let go of the file; what was written is kept."""
        if self._closed:
            return
        if self._flushing is not None:
            await self._flushing
        await self._run(self._file.close)
        self._closed = True
        self._thread.shutdown()
        self._tell()

    # Keys and values

    async def get(self, key: str) -> Entry | None:
        """See Store."""
        found = await self._run(
            lambda: self._file.all(
                "SELECT value, revision FROM entries WHERE key = ? AND value IS NOT NULL",
                _octets(key),
            )
        )
        return Entry(key, found[0][0], found[0][1]) if found else None

    async def range(self, prefix: str, after: str = "", limit: int | None = None) -> list[Entry]:
        """See Store."""
        low, high = _span(prefix)
        found = await self._run(
            lambda: self._file.all(
                "SELECT key, value, revision FROM entries"
                " WHERE key >= ? AND key < ? AND key > ? AND value IS NOT NULL"
                " ORDER BY key LIMIT ?",
                low,
                high,
                _octets(after),
                -1 if limit is None else limit,
            )
        )
        return [Entry(key.decode(), value, revision) for key, value, revision in found]

    async def put(self, key: str, value: bytes, if_revision: int | None = None) -> int:
        """See Store."""
        return await self.commit({key: value}, _expected(key, if_revision))

    async def delete(self, key: str, if_revision: int | None = None) -> bool:
        """See Store."""
        if await self.get(key) is None and not if_revision:
            return False
        await self.commit({key: None}, _expected(key, if_revision))
        return True

    async def commit(
        self, changes: Mapping[str, bytes | None], if_revisions: Mapping[str, int] | None = None
    ) -> int:
        """See Store."""
        if len(changes) > MAX_COMMIT_CHANGES:
            raise ValueError(f"store: {len(changes)} changes in one commit are over the limit")
        for key, value in changes.items():
            checked_key(key)
            if value is not None:
                checked_value(value, key)
        wanted = dict(if_revisions or {})
        try:
            return await self._run(lambda: self._commit(dict(changes), wanted))
        finally:
            self._tell()

    async def revision(self) -> int:
        """See Store."""
        return await self._run(lambda: self._fact("revision"))

    async def watch(self, prefix: str, after: int) -> AsyncIterator[Change]:
        """See Store."""
        low, high = _span(prefix)
        while not self._closed:
            written = self._written
            seen, found = await self._run(lambda: self._changes(low, high, after))  # noqa: B023
            for key, value, revision in found:
                yield Change(key.decode(), value, revision)
            after = seen
            if not found:
                await written.wait()

    # Logs

    async def append(
        self,
        log: str,
        records: Sequence[bytes],
        if_last: int | None = None,
        operation: str | None = None,
    ) -> int:
        """See Store. Appends that come while the disk is busy share one transaction."""
        checked_key(log, "log's name")
        if operation is not None:
            checked_key(operation, "operation id")
        batch = [checked_value(record, f"a record of {log}") for record in records]
        self._check_open()
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._appends.append((Append(log, batch, if_last, operation), done))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        return await done

    async def read(
        self, log: str, first: int, limit: int = 1000, page_bytes: int = PAGE_BYTES
    ) -> list[Record]:
        """See Store."""
        return await self._run(lambda: self._logs.read(log, first, limit, page_bytes))

    async def tail(self, log: str, first: int) -> AsyncIterator[list[Record]]:
        """See Store. Ends when the store is closed."""
        while not self._closed:
            written = self._written
            if page := await self.read(log, first):
                first = page[-1].index + 1
                yield page
            else:
                await written.wait()

    async def bounds(self, log: str) -> tuple[int, int]:
        """See Store."""
        return await self._run(lambda: self._logs.bounds(log))

    async def trim(self, log: str, before: int) -> None:
        """See Store."""
        while not await self._run(lambda: self._logs.trim(log, before)):
            pass

    async def begin(self, log: str, first: int) -> None:
        """See Store."""
        checked_key(log, "log's name")
        await self._run(lambda: self._logs.begin(log, first))

    async def _flush(self) -> None:
        while self._appends:
            batch, self._appends = self._appends, []
            try:
                asked = [append for append, _ in batch]
                outcomes = await self._run(lambda: self._logs.append_all(asked))  # noqa: B023
            except StoreError as fault:
                outcomes = [fault] * len(batch)
            for (_, done), outcome in zip(batch, outcomes, strict=True):
                if done.cancelled():
                    continue
                if isinstance(outcome, StoreError):
                    done.set_exception(outcome)
                else:
                    done.set_result(outcome)
            self._tell()
        self._flushing = None

    # In the thread

    def _commit(self, changes: dict[str, bytes | None], wanted: dict[str, int]) -> int:
        with self._file.transaction():
            for key, expected in wanted.items():
                found = self._file.all(
                    "SELECT revision FROM entries WHERE key = ? AND value IS NOT NULL",
                    _octets(key),
                )
                if (found[0][0] if found else 0) != expected:
                    raise ConflictError(key, expected, found[0][0] if found else 0)
            if not changes:
                return self._fact("revision")
            revision = self._fact("revision") + 1
            self._file.many(
                "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (key)"
                " DO UPDATE SET value = excluded.value, revision = excluded.revision",
                [(_octets(key), value, revision) for key, value in changes.items()],
            )
            self._file.all("UPDATE facts SET number = ? WHERE name = 'revision'", revision)
            if None in changes.values():
                self._compact()
        return revision

    def _compact(self) -> None:
        found = self._file.all(
            "SELECT revision FROM entries WHERE value IS NULL"
            " ORDER BY revision DESC LIMIT 1 OFFSET ?",
            MAX_DELETIONS,
        )
        if found:
            self._file.all(
                "DELETE FROM entries WHERE value IS NULL AND revision <= ?", found[0][0]
            )
            self._file.all("UPDATE facts SET number = ? WHERE name = 'compacted'", found[0][0])

    def _changes(
        self, low: bytes, high: bytes, after: int
    ) -> tuple[int, list[tuple[bytes, bytes | None, int]]]:
        with self._file.transaction():
            if after < (compacted := self._fact("compacted")):
                raise CompactedError(
                    f"store: deletions up to revision {compacted} are not known any more:"
                    f" read anew, then watch"
                )
            found = self._file.all(
                "SELECT key, value, revision FROM entries"
                " WHERE revision > ? AND key >= ? AND key < ? ORDER BY revision LIMIT ?",
                after,
                low,
                high,
                _WATCH_PAGE,
            )
            seen = self._fact("revision")
        if len(found) == _WATCH_PAGE:
            # A revision may be cut in two here: it is told whole, the next time.
            found = [change for change in found if change[2] < found[-1][2]]
            seen = found[-1][2]
        return seen, found

    def _fact(self, name: str) -> int:
        return self._file.all("SELECT number FROM facts WHERE name = ?", name)[0][0]

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError(f"{self.path}: the store is closed")

    async def _run(self, work: Callable[[], T]) -> T:
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _tell(self) -> None:
        self._written.set()
        self._written = asyncio.Event()


def _octets(key: str) -> bytes:
    # Kept as bytes: they sort as the bytes of UTF-8 do, whatever collation there is.
    return key.encode()


def _span(prefix: str) -> tuple[bytes, bytes]:
    # No byte of UTF-8 is 0xFF.
    return prefix.encode(), prefix.encode() + b"\xff"


def _expected(key: str, if_revision: int | None) -> dict[str, int] | None:
    return None if if_revision is None else {key: if_revision}
