"""The SQLite file under a store: its schema, transactions, and what its faults mean.

Synchronous, and used by one thread at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .interface import DamagedError, StoreError, UnavailableError

SCHEMA_VERSION = 2
# How long another process may hold the file (a backup, a person's sqlite3) before a write fails.
BUSY_S = 2.0

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
# Since version 2. `at_s` is Unix time: it has to be comparable across restarts.
_OPERATIONS = """
CREATE TABLE operations (log TEXT, id TEXT, last INTEGER NOT NULL, at_s INTEGER NOT NULL,
  PRIMARY KEY (log, id)) WITHOUT ROWID;
CREATE INDEX operations_by_age ON operations (at_s);
"""


class SqliteFile:
    """One connection to the file at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open it, made if it does not exist.

        Raises DamagedError, UnavailableError, or StoreError for one of another version.
        """
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
            self.close()
            raise

    def _prepare(self) -> None:
        with self.faults():
            self.all("PRAGMA journal_mode = WAL")
            self.all("PRAGMA synchronous = FULL")
            if (found := self.all("PRAGMA quick_check(1)")[0][0]) != "ok":
                raise DamagedError(f"{self.path}: the store is damaged: {found}")
            version = self.all("PRAGMA user_version")[0][0]
            if version == 0:
                self._create(_SCHEMA + _OPERATIONS)
            elif version == 1:
                self._create(_OPERATIONS)
            elif version != SCHEMA_VERSION:
                raise StoreError(
                    f"{self.path}: written by another version of Phantom ({version}): update it"
                )

    def _create(self, schema: str) -> None:
        self._db.executescript(
            f"BEGIN IMMEDIATE; {schema} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )

    def set_aside(self) -> Path:
        """Rename the file, which isn't open; returns what it is called now."""
        number = 1
        while (kept := self.path.with_name(f"{self.path.name}.damaged-{number}")).exists():
            number += 1
        self.path.rename(kept)
        for tail in ("-wal", "-shm"):
            beside = self.path.with_name(self.path.name + tail)
            if beside.exists():
                beside.rename(kept.with_name(kept.name + tail))
        return kept

    def close(self) -> None:
        """Let go of it."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def all(self, sql: str, *values: object) -> list[Any]:
        """Every row that a statement yields."""
        with self.faults():
            return self._db.execute(sql, values).fetchall()

    def many(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        """One statement for each of `rows`."""
        with self.faults():
            self._db.executemany(sql, rows)

    def rows(self, sql: str, *values: object) -> Generator[Any]:
        """The rows that a statement yields, one by one."""
        with self.faults():
            yield from self._db.execute(sql, values)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All that is written in it lasts when it ends; if it raises, nothing was written."""
        self.all("BEGIN IMMEDIATE")
        try:
            yield
            self.all("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def faults(self) -> Generator[None]:
        """SQLite's errors as a store's."""
        try:
            yield
        except sqlite3.OperationalError as fault:
            raise UnavailableError(
                f"{self.path}: {fault}: see that the disk has room and no other box uses it"
            ) from None
        except sqlite3.DatabaseError as fault:
            raise DamagedError(f"{self.path}: the store is damaged: {fault}") from None

    @property
    def _db(self) -> sqlite3.Connection:
        if self._database is None:
            raise UnavailableError(f"{self.path}: the store is closed")
        return self._database
