"""A whole flash chip as one file: what an emulated board runs from.

0xFF where nothing was written. The file system's place is taken from the partition table in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from boards.image import filesystem, partitions
from boards.image.partitions import MIB, STOCK

FLASH_BYTES = 4 * MIB


def build(image: Path, files: Mapping[str, object], flash_bytes: int = FLASH_BYTES) -> None:
    """Write a chip of `flash_bytes` with the stock partitions and `files`, but no MicroPython."""
    start, end = partitions.vfs_region(flash_bytes, STOCK)
    flash = bytearray(b"\xff" * flash_bytes)
    table = partitions.build(STOCK)
    flash[partitions.TABLE_OFFSET : partitions.TABLE_OFFSET + len(table)] = table
    flash[start:end] = filesystem.build(end - start, files)
    _replace(image, flash)


def edit(image: Path, files: Mapping[str, object]) -> None:
    """Change files in a chip that no board runs from now; None deletes one."""
    flash = bytearray(image.read_bytes())
    start, end = region(flash)
    flash[start:end] = filesystem.edit(bytes(flash[start:end]), files)
    _replace(image, flash)


def read(image: Path, name: str) -> bytes | None:
    """A file's content in a chip; None if it is not there."""
    flash = image.read_bytes()
    start, end = region(flash)
    return filesystem.read(flash[start:end], name)


def region(flash: bytes | bytearray) -> tuple[int, int]:
    """(start, end) of the file system in a chip's content. Raises PartitionError."""
    return partitions.vfs_region(len(flash), partitions.table_of(bytes(flash)))


def _replace(image: Path, flash: bytes | bytearray) -> None:
    partial = image.with_suffix(".part")
    partial.write_bytes(flash)
    partial.replace(image)
