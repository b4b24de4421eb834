"""Logs in a SQLite file, and the operation ids by which an append is done once.

Synchronous, and used by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from .interface import OPERATION_KEPT_S, CompactedError, ConflictError, Record, StoreError
from .sqlite_file import SqliteFile

# Operation ids are known for a time by the machine's clock, which may jump where nobody sets it;
# so a log's latest are kept, however old they seem to be.
MIN_OPERATIONS = 10_000
_FORGET_EVERY_S = 60
# Appends wait for no longer trim than this.
_TRIM_RECORDS = 500


@dataclass(frozen=True)
class Append:
    """An append that is to be done: see Store.append."""

    log: str
    records: list[bytes]
    if_last: int | None
    operation: str | None


class Logs:
    """The logs of `file`. `clock` tells Unix time in seconds: how old an operation id is."""

    def __init__(self, file: SqliteFile, clock: Callable[[], float]) -> None:
        self._file = file
        self._clock = clock
        self._forgot_s = 0

    def append_all(self, batch: list[Append]) -> list[int | StoreError]:
        """Do them all in one transaction; returns the last index, or the conflict, of each."""
        outcomes: list[int | StoreError] = []
        now_s = int(self._clock())
        with self._file.transaction():
            for append in batch:
                try:
                    outcomes.append(self._append(append, now_s))
                except ConflictError as fault:  # before anything of it was written
                    outcomes.append(fault)
            if abs(now_s - self._forgot_s) >= _FORGET_EVERY_S:
                self._forget(now_s)
        return outcomes

    def _append(self, append: Append, now_s: int) -> int:
        log = append.log
        if append.operation is not None:
            found = self._file.all(
                "SELECT last FROM operations WHERE log = ? AND id = ?", log, append.operation
            )
            if found:
                return found[0][0]
        first, last = self.bounds(log)
        if append.if_last is not None and append.if_last != last:
            raise ConflictError(log, append.if_last, last)
        self._file.many(
            "INSERT INTO records VALUES (?, ?, ?)",
            [(log, last + 1 + i, data) for i, data in enumerate(append.records)],
        )
        last += len(append.records)
        self._set_bounds(log, first, last)
        if append.operation is not None:
            self._file.all(
                "INSERT INTO operations VALUES (?, ?, ?, ?)", log, append.operation, last, now_s
            )
        return last

    def _forget(self, now_s: int) -> None:
        self._forgot_s = now_s
        self._file.all(
            "DELETE FROM operations WHERE at_s < ?"
            " AND last <= (SELECT last FROM logs WHERE name = log) - ?",
            now_s - OPERATION_KEPT_S,
            MIN_OPERATIONS,
        )

    def read(self, log: str, first: int, limit: int, page_bytes: int) -> list[Record]:
        """See Store.read."""
        page: list[Record] = []
        with self._file.transaction():
            held, _ = self.bounds(log)
            if first < held:
                raise CompactedError(f"store: log {log}: records below {held} have been trimmed")
            found = self._file.rows(
                "SELECT position, data FROM records WHERE log = ? AND position >= ?"
                " ORDER BY position LIMIT ?",
                log,
                first,
                limit,
            )
            with closing(found):  # an unfinished statement would keep the transaction open
                for position, data in found:
                    page.append(Record(position, data))
                    page_bytes -= len(data)
                    if page_bytes <= 0:
                        break
        return page

    def bounds(self, log: str) -> tuple[int, int]:
        """See Store.bounds."""
        found = self._file.all("SELECT first, last FROM logs WHERE name = ?", log)
        return found[0] if found else (1, 0)

    def _set_bounds(self, log: str, first: int, last: int) -> None:
        self._file.all("INSERT OR REPLACE INTO logs VALUES (?, ?, ?)", log, first, last)

    def trim(self, log: str, before: int) -> bool:
        """Store.trim, some records of it; returns whether that was all."""
        with self._file.transaction():
            first, last = self.bounds(log)
            before = min(before, last + 1)
            step = min(before, first + _TRIM_RECORDS)
            if step > first:
                self._file.all("DELETE FROM records WHERE log = ? AND position < ?", log, step)
                self._set_bounds(log, step, last)
        return step >= before

    def begin(self, log: str, first: int) -> None:
        """See Store.begin."""
        with self._file.transaction():
            held, last = self.bounds(log)
            if held <= last:
                raise ConflictError(log, first - 1, last)
            self._set_bounds(log, max(first, last + 1), max(first, last + 1) - 1)
