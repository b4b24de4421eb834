"""What is written where in a board's flash, in pieces small enough for a repeat to skip.

Every byte of the file system's region is written, erased blocks too: what an older file system
left in them could pass for newer metadata of this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from boards.image import partitions
from boards.image.partitions import SECTOR, PartitionError
from tools.flash.faults import FlashFault
from tools.flash.release import Release

# The chip compares this much by MD5 in a fraction of a second, and sends it in a few.
PIECE = 256 * 1024


@dataclass(frozen=True)
class Piece:
    """Bytes for one place in flash."""

    what: str
    offset: int
    data: bytes

    @property
    def end(self) -> int:
        """The first byte of flash behind it."""
        return self.offset + len(self.data)


def region(release: Release, flash_bytes: int) -> tuple[int, int]:
    """(start, end) of the file system on a chip with so much flash. Raises FlashFault."""
    if release.end > flash_bytes:
        raise FlashFault(
            f"the chip has {partitions.megabytes(flash_bytes)} of flash, "
            f"{release.path.name} takes {partitions.megabytes(release.end)}: "
            "take the image for a smaller flash"
        )
    try:
        return partitions.vfs_region(flash_bytes, release.partitions)
    except PartitionError as fault:
        raise FlashFault(f"{fault}: take the image for this size of flash") from None


def pieces(release: Release, files: bytes, start: int) -> list[Piece]:
    """The whole of it, in the order of flash; `files` is the file system, from `start` on."""
    base = release.chip.bootloader_offset
    edges = {partition.offset for partition in release.partitions}
    edges |= {partition.end for partition in release.partitions} | {partitions.TABLE_OFFSET, start}
    # An image may be padded into what the file system takes.
    data = release.data[: start - base]
    return [
        *_cut("MicroPython", base, data, sorted(edges)),
        *_cut("file system", start, files, ()),
    ]


def _cut(what: str, offset: int, data: bytes, edges: Sequence[int]) -> list[Piece]:
    end = offset + len(data)
    cuts = [offset, *(edge for edge in edges if offset < edge < end), end]
    found: list[Piece] = []
    for start, stop in pairwise(cuts):
        for at in range(start, stop, PIECE):
            part = data[at - offset : min(at + PIECE, stop) - offset]
            found.append(Piece(what, at, part.ljust(-(-len(part) // SECTOR) * SECTOR, b"\xff")))
    return found
