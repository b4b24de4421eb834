"""An operation's payload as records of a log, and back.

A consensus engine takes entries of a limited size, so a payload is compressed and cut. The pieces
are appended together; the last one's index is the operation's task id.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from storagebox.store.interface import Record

# Well below what etcd takes, and small in its memory, which holds every entry since its last
# snapshot.
CHUNK_BYTES: Final = 256 << 10
# Below this, compressing saves less than a disk's sector.
_COMPRESS_FROM: Final = 512
_LEVEL: Final = 1  # 4 to 8 times less, for about 10 ms a megabyte

_PLAIN: Final = 0
_DEFLATED: Final = 1
_MORE: Final = 2  # set in all records of a payload but its last


class Payload(NamedTuple):
    """A whole payload; `position` is that of its last record."""

    position: int
    data: bytes
    stored_bytes: int


class Unreadable(Exception):
    """What the log holds at `position` is no payload."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(
            f"search: entry {position} of the log is damaged ({reason}): it is skipped"
        )
        self.position = position


def split(payload: bytes) -> list[bytes]:
    """The records that hold a payload, at least one."""
    kind = _PLAIN
    if len(payload) >= _COMPRESS_FROM:
        payload, kind = zlib.compress(payload, _LEVEL), _DEFLATED
    starts = range(0, max(len(payload), 1), CHUNK_BYTES)
    return [
        bytes([kind | (_MORE if start + CHUNK_BYTES < len(payload) else 0)])
        + payload[start : start + CHUNK_BYTES]
        for start in starts
    ]


class Joiner:
    """Puts payloads together from records in order; a log is never cut within a payload."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def join(self, records: Sequence[Record]) -> Iterator[Payload | Unreadable]:
        """The payloads that end in `records`; Unreadable in place of one that is garbage."""
        for record in records:
            self._parts.append(record.data)
            if record.data[:1] and record.data[0] & _MORE:
                continue
            parts, self._parts = self._parts, []
            stored = sum(map(len, parts))
            try:
                yield Payload(record.index, _whole(parts), stored)
            except (zlib.error, ValueError) as fault:
                yield Unreadable(record.index, str(fault))


def _whole(parts: Iterable[bytes]) -> bytes:
    kinds = {part[0] & ~_MORE if part else -1 for part in parts}
    data = b"".join(part[1:] for part in parts)
    if kinds == {_PLAIN}:
        return data
    if kinds == {_DEFLATED}:
        return zlib.decompress(data)
    raise ValueError(f"of kinds {sorted(kinds)}")
