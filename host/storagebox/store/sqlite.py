"""A store in one SQLite file, for a box by itself.

A write-ahead log synchronised at each commit (https://sqlite.org/wal.html, PRAGMA synchronous):
what has been acknowledged survives the loss of power. All work is done by one thread, so the event
loop never waits for a disk. Watchers are told by the process itself: a file has one box.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from .interface import (
    MAX_COMMIT_CHANGES,
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

T = TypeVar("T")

SCHEMA_VERSION = 1
# Deleted keys are remembered so that a watcher learns of them; beyond these, the oldest are not.
MAX_DELETIONS = 1000
# How long another process may hold the file (a backup, a person's sqlite3) before a write fails.
BUSY_S = 2.0
_WATCH_PAGE = 256

_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO facts VALUES ('revision', 0), ('compacted', 0);
CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB, revision INTEGER NOT NULL);
CREATE INDEX entries_by_revision ON entries (revision);
CREATE INDEX deletions ON entries (revision) WHERE value IS NULL;
CREATE TABLE logs (name TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE records (log TEXT, position INTEGER, data BLOB NOT NULL,
  PRIMARY KEY (log, position)) WITHOUT ROWID;
"""


class SqliteStore:
    """`interface.Store` in the file at `path`. Make one by `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._database: sqlite3.Connection | None = None
        self._closed = False
        self._written = asyncio.Event()  # replaced at each commit

    @classmethod
    async def open(cls, path: Path, set_aside: Callable[[str], None] | None = None) -> SqliteStore:
        """Open the store, made if it does not exist.

        A damaged file raises DamagedError; with `set_aside` it is renamed instead, a new one made,
        and the reason told. Raises UnavailableError if the file can't be had.
        """
        store = cls(path)
        try:
            try:
                await store._run(store._open)
            except DamagedError as fault:
                if set_aside is None:
                    raise
                kept = await store._run(store._set_aside)
                set_aside(f"{fault}; it is kept as {kept}, and a new one begun")
                await store._run(store._open)
        except BaseException:
            store._thread.shutdown()
            raise
        return store

    async def close(self) -> None:
        """Let go of the file; what was written is kept."""
        if self._closed:
            return
        await self._run(self._close)
        self._closed = True
        self._thread.shutdown()
        self._tell()

    # Keys and values

    async def get(self, key: str) -> Entry | None:
        """See Store."""
        found = await self._run(
            lambda: self._all(
                "SELECT value, revision FROM entries WHERE key = ? AND value IS NOT NULL",
                _octets(key),
            )
        )
        return Entry(key, found[0][0], found[0][1]) if found else None

    async def range(self, prefix: str, after: str = "", limit: int | None = None) -> list[Entry]:
        """See Store."""
        low, high = _span(prefix)
        found = await self._run(
            lambda: self._all(
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

    async def append(self, log: str, records: Sequence[bytes], if_last: int | None = None) -> int:
        """See Store."""
        checked_key(log, "log's name")
        batch = [checked_value(record, f"a record of {log}") for record in records]
        return await self._run(lambda: self._append(log, batch, if_last))

    async def read(self, log: str, first: int, limit: int = 1000) -> list[Record]:
        """See Store."""
        return await self._run(lambda: self._read(log, first, limit))

    async def bounds(self, log: str) -> tuple[int, int]:
        """See Store."""
        return await self._run(lambda: self._bounds(log))

    async def trim(self, log: str, before: int) -> None:
        """See Store."""
        await self._run(lambda: self._trim(log, before))

    # In the thread

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(
                self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.OperationalError) as fault:
            raise UnavailableError(f"{self.path}: {fault}: is the folder writable?") from None
        self._database = database
        try:
            self._prepare()
        except BaseException:
            self._close()
            raise

    def _prepare(self) -> None:
        with self._faults():
            self._all("PRAGMA journal_mode = WAL")
            self._all("PRAGMA synchronous = FULL")
            if (found := self._all("PRAGMA quick_check(1)")[0][0]) != "ok":
                raise DamagedError(f"{self.path}: the store is damaged: {found}")
            version = self._all("PRAGMA user_version")[0][0]
            if version == 0:
                self._db.executescript(
                    f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                )
            elif version != SCHEMA_VERSION:
                raise StoreError(
                    f"{self.path}: written by another version of Phantom ({version}): update it"
                )

    def _set_aside(self) -> Path:
        number = 1
        while (kept := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        self.path.rename(kept)
        for tail in ("-wal", "-shm"):
            beside = self.path.with_name(self.path.name + tail)
            if beside.exists():
                beside.rename(kept.with_name(kept.name + tail))
        return kept

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _commit(self, changes: dict[str, bytes | None], wanted: dict[str, int]) -> int:
        with self._transaction():
            for key, expected in wanted.items():
                found = self._all(
                    "SELECT revision FROM entries WHERE key = ? AND value IS NOT NULL",
                    _octets(key),
                )
                if (found[0][0] if found else 0) != expected:
                    raise ConflictError(key, expected, found[0][0] if found else 0)
            if not changes:
                return self._fact("revision")
            revision = self._fact("revision") + 1
            self._db.executemany(
                "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (key)"
                " DO UPDATE SET value = excluded.value, revision = excluded.revision",
                [(_octets(key), value, revision) for key, value in changes.items()],
            )
            self._all("UPDATE facts SET number = ? WHERE name = 'revision'", revision)
            if None in changes.values():
                self._compact()
        return revision

    def _compact(self) -> None:
        found = self._all(
            "SELECT revision FROM entries WHERE value IS NULL"
            " ORDER BY revision DESC LIMIT 1 OFFSET ?",
            MAX_DELETIONS,
        )
        if found:
            self._all("DELETE FROM entries WHERE value IS NULL AND revision <= ?", found[0][0])
            self._all("UPDATE facts SET number = ? WHERE name = 'compacted'", found[0][0])

    def _changes(
        self, low: bytes, high: bytes, after: int
    ) -> tuple[int, list[tuple[bytes, bytes | None, int]]]:
        with self._transaction():
            if after < (compacted := self._fact("compacted")):
                raise CompactedError(
                    f"store: deletions up to revision {compacted} are not known any more:"
                    f" read anew, then watch"
                )
            found = self._all(
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

    def _append(self, log: str, records: list[bytes], if_last: int | None) -> int:
        with self._transaction():
            first, last = self._bounds(log)
            if if_last is not None and if_last != last:
                raise ConflictError(log, if_last, last)
            self._db.executemany(
                "INSERT INTO records VALUES (?, ?, ?)",
                [(log, last + 1 + i, data) for i, data in enumerate(records)],
            )
            last += len(records)
            self._set_bounds(log, first, last)
        return last

    def _read(self, log: str, first: int, limit: int) -> list[Record]:
        with self._transaction():
            held, _ = self._bounds(log)
            if first < held:
                raise CompactedError(f"store: log {log}: records below {held} have been trimmed")
            found = self._all(
                "SELECT position, data FROM records WHERE log = ? AND position >= ?"
                " ORDER BY position LIMIT ?",
                log,
                first,
                limit,
            )
        return [Record(position, data) for position, data in found]

    def _bounds(self, log: str) -> tuple[int, int]:
        found = self._all("SELECT first, last FROM logs WHERE name = ?", log)
        return found[0] if found else (1, 0)

    def _set_bounds(self, log: str, first: int, last: int) -> None:
        self._all("INSERT OR REPLACE INTO logs VALUES (?, ?, ?)", log, first, last)

    def _trim(self, log: str, before: int) -> None:
        with self._transaction():
            first, last = self._bounds(log)
            before = min(before, last + 1)
            if before > first:
                self._all("DELETE FROM records WHERE log = ? AND position < ?", log, before)
                self._set_bounds(log, before, last)

    def _fact(self, name: str) -> int:
        return self._all("SELECT number FROM facts WHERE name = ?", name)[0][0]

    # What they rest on

    @property
    def _db(self) -> sqlite3.Connection:
        if self._database is None:
            raise UnavailableError(f"{self.path}: the store is closed")
        return self._database

    def _all(self, sql: str, *values: object) -> list[Any]:
        with self._faults():
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._all("BEGIN IMMEDIATE")
        try:
            yield
            self._all("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _faults(self) -> Generator[None]:
        try:
            yield
        except sqlite3.OperationalError as fault:
            raise UnavailableError(
                f"{self.path}: {fault}: see that the disk has room and no other box uses it"
            ) from None
        except sqlite3.DatabaseError as fault:
            raise DamagedError(f"{self.path}: the store is damaged: {fault}") from None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._closed:
            raise UnavailableError(f"{self.path}: the store is closed")
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
