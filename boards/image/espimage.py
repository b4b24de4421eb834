"""ESP images: how a bootloader and an application lie in flash, checked as a chip does.

Format: ESP-IDF, "Application Image Format"; esptool, "Firmware Image Format". A header of 24
bytes, segments of 8 + n bytes, a checksum that ends a block of 16, and the SHA-256 of all that.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import Enum

from boards.image.chips import CHIPS, by_image_id

MAGIC = 0xE9
# Chips beside those of chips.py, so that a message can name them.
_OTHERS = {12: "esp32c2", 16: "esp32h2", 18: "esp32p4", 23: "esp32c5"}

_HEADER = struct.Struct("<BBBBI B3sHBHH4sB")
_SEGMENT = struct.Struct("<II")
_MAX_SEGMENTS = 16
_CHECKSUM_SEED = 0xEF
_SHA_BYTES = 32
# esp_app_desc_t, at the start of an application's first segment.
_DESCRIPTION = struct.Struct("<II8s32s32s16s16s32s")
_DESCRIPTION_MAGIC = 0xABCD5432


class Fault(Enum):
    """What is wrong with an image."""

    MAGIC = "magic"
    TRUNCATED = "truncated"
    SEGMENTS = "segments"
    CHECKSUM = "checksum"
    DIGEST = "digest"


class ImageError(ValueError):
    """No image, or a damaged one. `stored` and `found` are two values that differ, if any do."""

    def __init__(self, fault: Fault, text: str, stored: int = 0, found: int = 0) -> None:
        super().__init__(text)
        self.fault = fault
        self.stored = stored
        self.found = found


@dataclass(frozen=True)
class Segment:
    """Where `size` bytes at `offset` of the image are loaded to."""

    address: int
    offset: int
    size: int


@dataclass(frozen=True)
class EspImage:
    """A whole image, its checksum and digest right. length: bytes, of a file that may go on."""

    chip_id: int
    entry: int
    segments: tuple[Segment, ...]
    min_revision: int  # major * 100 + minor
    max_revision: int
    length: int
    hashed: bool
    # What an application says about itself; empty in a bootloader.
    project: str = ""
    version: str = ""

    @property
    def chip(self) -> str:
        """The chip's name as esptool writes it, "esp32s3"; "chip 77" if nobody knows it."""
        known = by_image_id(self.chip_id)
        return known.name if known else _OTHERS.get(self.chip_id, f"chip {self.chip_id}")

    @property
    def is_application(self) -> bool:
        """Whether it describes itself as applications do."""
        return bool(self.project)


def chip_title(chip: str) -> str:
    """A chip's name as people write it: "esp32s3" is ESP32-S3."""
    if chip in CHIPS:
        return CHIPS[chip].title
    suffix = chip.upper().removeprefix("ESP32")
    return f"ESP32-{suffix}" if suffix and chip.startswith("esp32") else chip.upper()


def revision_text(revision: int) -> str:
    """A revision as people write it: 301 is v3.1."""
    return f"v{revision // 100}.{revision % 100}"


def header_length(data: bytes) -> int:
    """How many bytes the image at the start of `data` has, by its headers. Raises ImageError."""
    return _layout(data)[2]


def parse(data: bytes, check_digest: bool = True) -> EspImage:
    """The image at the start of `data`, checked. Raises ImageError."""
    head, segments, length = _layout(data)
    hashed = bool(head[12])
    if len(data) < length:
        text = f"{len(data):,} of {length:,} bytes"
        raise ImageError(Fault.TRUNCATED, text, length, len(data))
    end = length - (_SHA_BYTES if hashed else 0)
    stored, found = data[end - 1], image_checksum(data, segments)
    if stored != found:
        text = f"its checksum is {found:#04x}, not {stored:#04x}"
        raise ImageError(Fault.CHECKSUM, text, stored, found)
    if hashed and check_digest and hashlib.sha256(data[:end]).digest() != data[end:length]:
        raise ImageError(Fault.DIGEST, "its SHA-256 is wrong")
    project, version = _description(data, segments)
    return EspImage(
        chip_id=head[7],
        entry=head[4],
        segments=segments,
        min_revision=head[9],
        max_revision=head[10],
        length=length,
        hashed=hashed,
        project=project,
        version=version,
    )


def exclusive_or(data: bytes) -> int:
    """All bytes of `data`, exclusive-ored: by halves of one long integer, not byte by byte."""
    size = 1 << max(0, len(data) - 1).bit_length()
    number = int.from_bytes(data, "little")
    while size > 1:
        size //= 2
        number = (number >> 8 * size) ^ (number & ((1 << 8 * size) - 1))
    return number


def image_checksum(data: bytes, segments: tuple[Segment, ...]) -> int:
    """The exclusive-or of all the segments' bytes, from 0xEF on."""
    total = _CHECKSUM_SEED
    for segment in segments:
        total ^= exclusive_or(data[segment.offset : segment.offset + segment.size])
    return total


def _layout(data: bytes) -> tuple[tuple[int, ...], tuple[Segment, ...], int]:
    if not data or data[0] != MAGIC:
        start = data[:4].hex(" ") if data else "nothing"
        raise ImageError(Fault.MAGIC, f"it starts with {start}, not with e9")
    if len(data) < _HEADER.size:
        raise ImageError(Fault.TRUNCATED, f"{len(data)} bytes, less than an image's header")
    head = _HEADER.unpack_from(data)
    if not 0 < head[1] <= _MAX_SEGMENTS:
        raise ImageError(Fault.SEGMENTS, f"{head[1]} segments, where 1 to 16 can be", head[1])
    segments: list[Segment] = []
    at = _HEADER.size
    for _ in range(head[1]):
        if at + _SEGMENT.size > len(data):
            raise ImageError(
                Fault.TRUNCATED, f"{len(data):,} of more than {at:,} bytes", at, len(data)
            )
        address, size = _SEGMENT.unpack_from(data, at)
        if size % 4 or size > 1 << 24:
            raise ImageError(Fault.SEGMENTS, f"a segment of {size:#x} bytes at {at:#x}", size)
        segments.append(Segment(address, at + _SEGMENT.size, size))
        at += _SEGMENT.size + size
    length = (at // 16 + 1) * 16 + (_SHA_BYTES if head[12] else 0)
    return head, tuple(segments), length


def _description(data: bytes, segments: tuple[Segment, ...]) -> tuple[str, str]:
    first = segments[0]
    if first.size < _DESCRIPTION.size:
        return "", ""
    magic, _, _, version, project, *_ = _DESCRIPTION.unpack_from(data, first.offset)
    if magic != _DESCRIPTION_MAGIC:
        return "", ""
    return _text(project) or "unnamed", _text(version)


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace")


def build(
    chip_id: int,
    segments: list[tuple[int, bytes]],
    entry: int = 0,
    min_revision: int = 0,
    max_revision: int = 0xFFFF,
    hashed: bool = True,
) -> bytes:
    """An image of segments, (load address, content), each filled up to whole words."""
    # DIO, 4 MB at 80 MHz; no write-protect pin.
    head = _HEADER.pack(
        MAGIC,
        len(segments),
        2,
        0x2F,
        entry,
        0xEE,
        b"\0\0\0",
        chip_id,
        0,
        min_revision,
        max_revision,
        b"\0\0\0\0",
        hashed,
    )
    image = bytearray(head)
    total = _CHECKSUM_SEED
    for address, content in segments:
        content = content + b"\0" * (-len(content) % 4)
        image += _SEGMENT.pack(address, len(content)) + content
        total ^= exclusive_or(content)
    image += b"\0" * (15 - len(image) % 16) + bytes((total,))
    if hashed:
        image += hashlib.sha256(image).digest()
    return bytes(image)


def describe(project: str, version: str, idf: str = "v5.4.2") -> bytes:
    """The description that starts an application's first segment: 256 bytes."""
    fields = (version.encode(), project.encode(), b"12:00:00", b"Nov 24 2026", idf.encode())
    return _DESCRIPTION.pack(_DESCRIPTION_MAGIC, 0, b"", *fields).ljust(256, b"\0")
