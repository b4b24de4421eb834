"""Files that are either as they were or as they were meant to be, whenever the power goes."""

from __future__ import annotations

import errno
import os
import re
import zlib
from pathlib import Path
from typing import Final

from storagebox.search.writes.refused import Refused

# A commit may want this much at once.
_SCARCE_BYTES: Final = 256 << 20
_PASSING: Final = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
}
# As Rust's errors have it: `Os { code: 28, …`, `(os error 28)`.
_ERRNO: Final = re.compile(r"\b(?:code: |os error )(\d+)\b")


class DamagedFileError(Exception):
    """A file is not what was written."""


def write(path: Path, data: bytes, previous: Path | None = None) -> None:
    """Put `data` and its checksum at `path`; it lasts when this returns. Raises OSError.

    What was there becomes `previous`, if that is given, once the new is written. A new one that
    can't be written is not left behind: the disk may be full.
    """
    new = path.with_name(path.name + ".new")
    try:
        with new.open("wb") as file:
            file.write(data + b"\n%08x\n" % zlib.crc32(data))
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            path.replace(previous)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def read(path: Path) -> bytes:
    """What `write` put there. Raises DamagedFileError, or OSError."""
    whole = path.read_bytes()
    data, _, checksum = whole.removesuffix(b"\n").rpartition(b"\n")
    if checksum != b"%08x" % zlib.crc32(data):
        raise DamagedFileError(f"{path}: it is damaged: its checksum does not fit")
    return data


def sync_folder(folder: Path) -> None:
    """Have what was created, renamed and deleted in a folder last."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_exhausted(folder: Path, fault: BaseException | None) -> bool:
    """Whether `fault` is the machine's and passes: a full disk, no memory, no more open files.

    Libraries say so each in its own way. With little room left, whatever fails is taken to fail
    for that: better to wait for room without need than to take good files for bad ones.
    """
    while fault is not None:
        if isinstance(fault, MemoryError):
            return True
        numbers = {int(number) for number in _ERRNO.findall(str(fault))}
        if isinstance(fault, OSError) and fault.errno is not None:
            numbers.add(fault.errno)
        if numbers & _PASSING:
            return True
        fault = fault.__cause__ or fault.__context__
    return room_bytes(folder) < _SCARCE_BYTES


def room_bytes(folder: Path) -> int:
    """How much an ordinary user may still write to the disk under `folder`."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def check_room(folder: Path, reserve_bytes: int) -> None:
    """Raises Refused if the disk under `folder` has no more than the reserve."""
    free = room_bytes(folder)
    if free < reserve_bytes:
        raise Refused(
            f"disk almost full: {free >> 20} MB are free, {reserve_bytes >> 20} MB are kept back:"
            " free some, and try again",
            429,
            30,
        )
