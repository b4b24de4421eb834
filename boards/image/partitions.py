"""The partition table of an ESP32, and where MicroPython keeps its file system.

Format: ESP-IDF, "Partition Tables"; entries of 32 bytes at 0x8000, closed by an MD5 of them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SECTOR = 4096
TABLE_OFFSET = 0x8000
TABLE_BYTES = 0xC00  # of entries; the table has a sector to itself
MIB = 1024 * 1024

TYPE_APP = 0
TYPE_DATA = 1
SUBTYPE_FACTORY = 0
SUBTYPE_NVS = 2
SUBTYPE_PHY = 1
SUBTYPE_OTA_0 = 0x10

_ENTRY = struct.Struct("<2sBBII16sI")
_MAGIC = b"\xaa\x50"
_MD5_MAGIC = b"\xeb\xeb" + b"\xff" * 14


class PartitionError(ValueError):
    """No partition table, or one that leaves MicroPython no file system."""


@dataclass(frozen=True)
class Partition:
    """One entry. offset, size: bytes of the flash."""

    label: str
    type: int
    subtype: int
    offset: int
    size: int
    flags: int = 0

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.size


# ports/esp32/partitions-4MiBplus.csv of MicroPython 1.26; its end is 2 MiB.
STOCK = (
    Partition("nvs", TYPE_DATA, SUBTYPE_NVS, 0x9000, 0x6000),
    Partition("phy_init", TYPE_DATA, SUBTYPE_PHY, 0xF000, 0x1000),
    Partition("factory", TYPE_APP, SUBTYPE_FACTORY, 0x10000, 0x1F0000),
)


def parse(table: bytes) -> list[Partition]:
    """The partitions of a table, as read from TABLE_OFFSET on. Raises PartitionError."""
    partitions: list[Partition] = []
    for at in range(0, min(len(table), TABLE_BYTES) - _ENTRY.size + 1, _ENTRY.size):
        entry = table[at : at + _ENTRY.size]
        if entry.startswith(_MD5_MAGIC):
            if hashlib.md5(table[:at], usedforsecurity=False).digest() != entry[16:]:
                raise PartitionError("its partition table is damaged: the MD5 is wrong")
            break
        magic, kind, subtype, offset, size, label, flags = _ENTRY.unpack(entry)
        if entry == b"\xff" * _ENTRY.size:
            break
        if magic != _MAGIC:
            raise PartitionError(
                f"its partition table is damaged: no entry but {magic.hex()} at {at:#x}"
            )
        text = label.rstrip(b"\0").decode("ascii", "replace")
        partitions.append(Partition(text, kind, subtype, offset, size, flags))
    if not partitions:
        raise PartitionError("partition table: empty")
    return partitions


def build(partitions: Iterable[Partition] = STOCK) -> bytes:
    """A table with its MD5, TABLE_BYTES long."""
    table = b"".join(
        _ENTRY.pack(_MAGIC, p.type, p.subtype, p.offset, p.size, p.label.encode(), p.flags)
        for p in partitions
    )
    table += _MD5_MAGIC + hashlib.md5(table, usedforsecurity=False).digest()
    return table.ljust(TABLE_BYTES, b"\xff")


def table_of(flash: bytes) -> list[Partition]:
    """The partitions of a whole flash chip's content. Raises PartitionError."""
    return parse(flash[TABLE_OFFSET : TABLE_OFFSET + TABLE_BYTES])


def vfs_region(flash_bytes: int, partitions: Sequence[Partition] = STOCK) -> tuple[int, int]:
    """(start, end) of MicroPython's file system on a chip of `flash_bytes`.

    Up to 1.25 it is a partition called vfs; from 1.26 on it is in no table and takes what lies
    between the last partition and the end of the chip (ports/esp32/main.c, boardctrl_startup).
    Raises PartitionError if there is none.
    """
    for partition in partitions:
        if partition.label == "vfs" and partition.type == TYPE_DATA:
            start, end = partition.offset, partition.end
            if end > flash_bytes:
                raise PartitionError(
                    f"flash of {megabytes(flash_bytes)} is too small: "
                    f"the image's file system ends at {megabytes(end)}"
                )
            return start, end
        if partition.label == "ffat":
            raise PartitionError("partition table: a FAT file system, which survives no power cut")
    start = -(-max(partition.end for partition in partitions) // SECTOR) * SECTOR
    end = flash_bytes // SECTOR * SECTOR
    if start >= end:
        raise PartitionError(
            f"flash of {megabytes(flash_bytes)} is too small: "
            f"the image's partitions end at {megabytes(start)}"
        )
    return start, end


def megabytes(count: int) -> str:
    """Bytes as people write them."""
    return f"{count / MIB:.3g} MB"
