"""What a store offers, whichever keeps it: SQLite on one box, a consensus engine on three.

Two things live in a store, side by side:

- **Keys and values.** Each write has a *revision*, which only ever grows; a key bears that of its
  latest write. A writer may state the revision it has seen (compare-and-set), so that of two who
  read the same only one writes. A watcher is told what changed after a revision.
- **Logs**, each named, of records numbered without gaps. Whoever applies a log in order reaches
  the same state as everyone else who does. A writer that doesn't know whether an append was done
  repeats it with the same *operation id*, and it is done once.

What is promised: a call that has returned has been written to last, across a crash of the process,
the machine or its power. A commit is applied whole or not at all, and in one order for all who
read and watch. A call that fails with Unavailable may have been applied or not; read before trying
again.

Keys and names of logs are text of up to MAX_KEY_BYTES; values and records are bytes of up to
MAX_VALUE_BYTES, the limit of a consensus engine's messages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_KEY_BYTES = 512
MAX_VALUE_BYTES = 1 << 20  # etcd takes requests of 1.5 MiB (docs, system limits)
MAX_COMMIT_CHANGES = 128  # etcd's --max-txn-ops
# How long an operation id is known, at least: beyond any client's last try, which for Algolia's is
# four hosts, 30 s each (algoliasearch 4.48, write timeout).
OPERATION_KEPT_S = 900
# A page of records holds about this much at most; one record may be larger.
PAGE_BYTES = 2 << 20


class StoreError(Exception):
    """Something a store could not do; the message names the thing, the fault and the remedy."""


class ConflictError(StoreError):
    """A key was not at the revision that the writer had seen: read again, decide again.

    `key` is the first that differed and `revision` where it is: 0 for one that does not exist.
    """

    def __init__(self, key: str, expected: int, revision: int) -> None:
        super().__init__(f"store: {key} is at revision {revision}, not {expected}: read it again")
        self.key = key
        self.revision = revision


class CompactedError(StoreError):
    """What was asked for is too old to be known: read everything anew, then watch from there."""


class UnavailableError(StoreError):
    """The store can't be reached or written just now: a full disk, say, or no quorum."""


class DamagedError(StoreError):
    """What was kept is not readable any more."""


@dataclass(frozen=True)
class Entry:
    """A key's value and the revision that wrote it."""

    key: str
    value: bytes
    revision: int


@dataclass(frozen=True)
class Change:
    """A key was written at `revision`; `value` is None if it was deleted."""

    key: str
    value: bytes | None
    revision: int


@dataclass(frozen=True)
class Record:
    """A record of a log; the first ever has index 1."""

    index: int
    data: bytes


class Store(Protocol):
    """Keys and values, and logs. Any method may raise UnavailableError."""

    # Keys and values

    async def get(self, key: str) -> Entry | None:
        """The entry, or None."""
        ...

    async def range(self, prefix: str, after: str = "", limit: int | None = None) -> list[Entry]:
        """Entries whose key begins with `prefix`, in order of keys, beyond the key `after`."""
        ...

    async def put(self, key: str, value: bytes, if_revision: int | None = None) -> int:
        """Write; returns the revision. `if_revision` 0 writes only a key that does not exist.

        Raises ConflictError.
        """
        ...

    async def delete(self, key: str, if_revision: int | None = None) -> bool:
        """Delete; False if there was no such key. Raises ConflictError."""
        ...

    async def commit(
        self, changes: Mapping[str, bytes | None], if_revisions: Mapping[str, int] | None = None
    ) -> int:
        """Write and delete (None) several keys at once, at one revision, which is returned.

        Nothing is written, and ConflictError raised, unless each key of `if_revisions` is at its
        revision; those keys need not be written. At most MAX_COMMIT_CHANGES keys.
        """
        ...

    async def revision(self) -> int:
        """The latest revision; 0 for a store that nothing was written to."""
        ...

    def watch(self, prefix: str, after: int) -> AsyncIterator[Change]:
        """What changes below `prefix` after the revision `after`, in order of revisions, for ever.

        Of several writes of one key, only the latest is sure to be told. Raises CompactedError if
        deletions since `after` are no longer all known.
        """
        ...

    # Logs

    async def append(
        self,
        log: str,
        records: Sequence[bytes],
        if_last: int | None = None,
        operation: str | None = None,
    ) -> int:
        """Append records, all or none; returns the index of the last.

        With `if_last`, only if that is the log's last index so far; else ConflictError. With an
        `operation` (text of up to MAX_KEY_BYTES) that this log has taken within OPERATION_KEPT_S,
        nothing is appended, and what was returned then is returned again.
        """
        ...

    async def read(
        self, log: str, first: int, limit: int = 1000, page_bytes: int = PAGE_BYTES
    ) -> list[Record]:
        """Records from index `first` on: at most `limit`, and one or about `page_bytes`.

        Raises CompactedError if `first` has been trimmed.
        """
        ...

    def tail(self, log: str, first: int) -> AsyncIterator[list[Record]]:
        """All records from index `first` on, in order, as they come, for ever; no list is empty.

        Raises CompactedError if `first` has been trimmed.
        """
        ...

    async def bounds(self, log: str) -> tuple[int, int]:
        """(first index still held, last index); (1, 0) for a log never written to."""
        ...

    async def trim(self, log: str, before: int) -> None:
        """Let go of records below index `before`; the numbering goes on."""
        ...

    async def begin(self, log: str, first: int) -> None:
        """Have a log that holds nothing number its next record `first`, if it would be less.

        For one that takes over from a log that was lost, or that another store held. Raises
        ConflictError if it holds records.
        """
        ...

    # Life

    async def close(self) -> None:
        """Let go of it; what was written is kept."""
        ...


def checked_key(key: str, what: str = "key") -> str:
    """The key, if it can be one. Raises ValueError."""
    if not key or "\0" in key or len(key.encode()) > MAX_KEY_BYTES:
        raise ValueError(
            f"store: a {what} is text of 1 to {MAX_KEY_BYTES} bytes, not {key[:40]!r}"
        )
    return key


def checked_value(value: bytes, what: str) -> bytes:
    """The value, if it can be one. Raises ValueError."""
    if len(value) > MAX_VALUE_BYTES:
        raise ValueError(f"store: {what}: {len(value)} bytes are over {MAX_VALUE_BYTES}")
    return value
