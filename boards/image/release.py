"""MicroPython for a chip as it is published: bootloader, table and application in one .bin.

It is written to where the chip looks for its bootloader; the two others then lie at their places.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from boards.image import espimage, partitions
from boards.image.chips import CHIPS
from boards.image.espimage import EspImage, Fault, ImageError, chip_title, revision_text
from boards.image.partitions import TABLE_BYTES, TABLE_OFFSET, TYPE_APP, Partition, PartitionError

_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"\x1f\x8b\x08": "a gzip archive"}
_PAGES = (b"<!do", b"<htm", b"<!DO", b"<HTM")


class ReleaseError(ValueError):
    """A file that isn't MicroPython for the chip: says what it is and what to take instead."""


@dataclass(frozen=True)
class Release:
    """A checked release. offset: where to write it."""

    chip: str
    offset: int
    content: bytes
    bootloader: EspImage
    application: EspImage
    app: Partition
    partitions: tuple[Partition, ...]

    @property
    def title(self) -> str:
        """What it is: "MicroPython 1.25.0 for ESP32-S3"."""
        name = {"micropython": "MicroPython"}.get(
            self.application.project, self.application.project
        )
        version = self.application.version.removeprefix("v")
        return f"{name} {version} for {chip_title(self.chip)}"


def load(path: Path, chip: str | None = None, revision: int | None = None) -> Release:
    """A release from a file. Raises ReleaseError, and OSError if it can't be read."""
    return check(path.read_bytes(), path.name, chip, revision)


def check(
    content: bytes, name: str, chip: str | None = None, revision: int | None = None
) -> Release:
    """The release that `content` is; `name` is the file's, for messages.

    `chip` ("esp32s3") and `revision` (major * 100 + minor) are those of the board that is to run
    it, where they are known. Raises ReleaseError.
    """
    bootloader = _bootloader(content, name)
    found = bootloader.chip
    if chip is not None and found != chip:
        raise ReleaseError(
            f"{name} is for {chip_title(found)}, and this board is an {chip_title(chip)}: "
            f"get the image for {chip_title(chip)}"
        )
    if found not in CHIPS:
        raise ReleaseError(
            f"{name} is for {chip_title(found)}, which no board of Phantom's has: "
            f"get the image for your board's chip"
        )
    offset = CHIPS[found].bootloader_offset
    table, app = _table(content, name, offset)
    application = _application(content, name, offset, app)
    if application.chip != found:
        raise ReleaseError(
            f"{name}: its bootloader is for {chip_title(found)} and its application for "
            f"{chip_title(application.chip)}: get the file again"
        )
    needed = max(bootloader.min_revision, application.min_revision)
    if revision is not None and needed > revision:
        raise ReleaseError(
            f"{name} needs an {chip_title(found)} of revision {revision_text(needed)}, and this "
            f"one is {revision_text(revision)}: get an older image"
        )
    return Release(found, offset, content, bootloader, application, app, tuple(table))


def _bootloader(content: bytes, name: str) -> EspImage:
    try:
        # No digest: some tools set the flash's size in its header and leave that as it was.
        image = espimage.parse(content, check_digest=False)
    except ImageError as error:
        if error.fault is Fault.MAGIC:
            raise ReleaseError(
                f"{name} is no ESP32 image but {_what(content)}: "
                "get MicroPython's .bin for the board"
            ) from error
        raise _damaged(name, "bootloader", error) from error
    if image.is_application:
        raise ReleaseError(
            f"{name} holds an application alone (.app-bin), which can't start a bare board: "
            "get the .bin of the same release"
        )
    return image


def _table(content: bytes, name: str, offset: int) -> tuple[list[Partition], Partition]:
    start = TABLE_OFFSET - offset
    if len(content) < start + 64:
        raise ReleaseError(
            f"{name} ends behind its bootloader, at {len(content):,} bytes: "
            "get the whole .bin of a MicroPython release"
        )
    try:
        table = partitions.parse(content[start : start + TABLE_BYTES])
    except PartitionError as error:
        raise ReleaseError(f"{name}: {error}: get the file again") from error
    apps = [p for p in table if p.type == TYPE_APP]
    if not apps:
        raise ReleaseError(f"{name}: its partition table has no application: get another image")
    return table, min(apps, key=lambda p: p.subtype)


def _application(content: bytes, name: str, offset: int, app: Partition) -> EspImage:
    data = content[app.offset - offset : app.end - offset]
    if not data:
        raise ReleaseError(
            f"{name} is cut short: {len(content):,} bytes, and its application starts at "
            f"{app.offset - offset:,}: get the file again"
        )
    try:
        return espimage.parse(data)
    except ImageError as error:
        if error.fault is Fault.TRUNCATED and error.stored:
            whole = error.stored + app.offset - offset
            raise ReleaseError(
                f"{name} is cut short: {len(content):,} of {whole:,} bytes: get the file again"
            ) from error
        raise _damaged(name, "application", error) from error


def _damaged(name: str, part: str, error: ImageError) -> ReleaseError:
    return ReleaseError(f"{name}: its {part} is damaged: {error}: get the file again")


def _what(content: bytes) -> str:
    if not content:
        return "an empty file"
    for start, what in _ARCHIVES.items():
        if content.startswith(start):
            return what
    if content.lstrip()[:4] in _PAGES:
        return "a web page"
    if content[:4] == b"\xff\xff\xff\xff":
        return "erased flash"
    return f"something that starts with {content[:4].hex(' ')}"
