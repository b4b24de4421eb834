"""littlefs2 images, shared both ways with MicroPython's VfsLfs2.

    region = build(size, {"/boot.py": b"...", "/device.json": {"id": "kitchen"}})
    region = edit(region, {"/device.json": None})
    read(region, "/boot.py")

A region is the bytes of the flash that MicroPython mounts. A file's content is text, bytes, or
anything else as JSON; names are absolute or not, alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from littlefs import LittleFS, LittleFSError

from boards.image.partitions import SECTOR, megabytes

# The oldest on-disk format that is still written: every MicroPython from 1.12 on reads it.
DISK_VERSION = 0x00020000
# Up to this much of a file lies within its folder's own blocks, under their checksum: an eighth of
# a block (lfs.c, lfs_init).
_INLINE_BYTES = SECTOR // 8
_SETTLING = "s"  # an attribute that stays for no longer than `_settle` runs


class FilesystemError(ValueError):
    """A region is no littlefs, or too small for what is to be in it."""


def build(size: int, files: Mapping[str, object]) -> bytes:
    """A region of `size` bytes with `files` in it. Raises FilesystemError if they don't fit."""
    fs = _file_system(size, DISK_VERSION)
    fs.format()
    fs.mount()
    return _written(fs, files)


def edit(region: bytes, files: Mapping[str, object]) -> bytes:
    """A region with `files` changed in it; None deletes one. Raises FilesystemError."""
    return _written(_mounted(region), files)


def read(region: bytes, name: str) -> bytes | None:
    """A file's content; None if it is not there. Raises FilesystemError."""
    fs = _mounted(region)
    try:
        with fs.open(_absolute(name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def names(region: bytes) -> list[str]:
    """The absolute names of all files. Raises FilesystemError."""
    fs = _mounted(region)
    found = [f"{folder.rstrip('/')}/{file}" for folder, _, files in fs.walk("/") for file in files]
    return sorted(found)


def content(value: object) -> bytes:
    """What is written for a file's content."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def _file_system(size: int, disk_version: int) -> LittleFS:
    # Sizes as in VfsLfs2, which has them from the driver: blocks are sectors.
    return LittleFS(
        block_size=SECTOR, block_count=size // SECTOR, disk_version=disk_version, mount=False
    )


def _mounted(region: bytes) -> LittleFS:
    # A board's own littlefs may have moved the file system on to its newest format: any will do.
    fs = _file_system(len(region), 0)
    fs.context.buffer = bytearray(region)
    try:
        fs.mount()
    except LittleFSError as fault:
        raise FilesystemError(f"file system: not littlefs, or damaged ({fault})") from None
    return fs


def _settle(fs: LittleFS) -> None:
    """Have both blocks of the root's pair hold all of it, so that damage to one loses nothing.

    littlefs appends to one and, when that is full, writes the whole into the other. Where a fault
    is found in the newer one, the older counts.
    """

    def revisions() -> list[bytes]:
        octets = fs.context.buffer
        return [bytes(octets[block * SECTOR : block * SECTOR + 4]) for block in (0, 1)]

    before = revisions()
    while any(now == was for now, was in zip(revisions(), before, strict=True)):
        fs.setattr("/", _SETTLING, bytes(_INLINE_BYTES))
    fs.removeattr("/", _SETTLING)


def _written(fs: LittleFS, files: Mapping[str, object]) -> bytes:
    size = fs.block_count * SECTOR
    try:
        for name, value in files.items():
            if value is None:
                fs.remove(_absolute(name))
            else:
                _write(fs, _absolute(name), content(value))
        _settle(fs)
    except LittleFSError as fault:
        if fault.code != LittleFSError.Error.LFS_ERR_NOSPC:
            raise
        raise FilesystemError(
            f"file system: {megabytes(size)} are too small for what is to be in it"
        ) from None
    return bytes(fs.context.buffer)


def _write(fs: LittleFS, path: str, data: bytes) -> None:
    fs.makedirs(path.rsplit("/", 1)[0] or "/", exist_ok=True)
    with fs.open(path, "wb") as file:
        file.write(data)


def _absolute(name: str) -> str:
    return "/" + name.lstrip("/")
