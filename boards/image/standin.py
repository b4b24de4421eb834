"""A stand-in for MicroPython's published .bin: the right shape, size and sums, and no program.

No registry serves the real image, so emulated boards and tests take this one: what a tool checks,
writes and verifies is as in the real one, and it compresses about as well.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

from boards.image import espimage, partitions
from boards.image.chips import CHIPS
from boards.image.partitions import STOCK, TABLE_OFFSET, TYPE_APP, Partition

# ESP32_GENERIC 1.25 has 1.7 MB.
APPLICATION_BYTES = 1_600_000
_BOOTLOADER_BYTES = 20_000

# (bootloader's, application's) load addresses: RAM for code, RAM for data, mapped flash.
_ADDRESSES = {
    "esp32": ((0x3FFF0030, 0x40078000, 0x40080400), (0x3F400020, 0x3FFBDB60, 0x400D0020)),
    "esp32s3": ((0x3FCE2810, 0x403C8700, 0x403CB700), (0x3C160020, 0x3FC9A100, 0x42000020)),
    "esp32c3": ((0x3FCD5820, 0x403CC710, 0x403CE710), (0x3C120020, 0x3FC91C00, 0x42000020)),
}
# Revisions that MicroPython's builds ask for (ports/esp32/boards/sdkconfig.*).
_MIN_REVISION = {"esp32": 0, "esp32s3": 0, "esp32c3": 3}


@lru_cache(maxsize=8)
def micropython(
    chip: str = "esp32",
    version: str = "1.25.0",
    application_bytes: int = APPLICATION_BYTES,
    table: Sequence[Partition] = STOCK,
) -> bytes:
    """The .bin, to be written at the chip's bootloader offset. `application_bytes`: about."""
    offset = CHIPS[chip].bootloader_offset
    app = min((p for p in table if p.type == TYPE_APP), key=lambda p: p.subtype)
    image = bytearray(bootloader(chip))
    image += b"\xff" * (TABLE_OFFSET - offset - len(image)) + partitions.build(table)
    image += b"\xff" * (app.offset - offset - len(image))
    image += application(chip, version, application_bytes)
    return bytes(image)


def bootloader(chip: str) -> bytes:
    """A second-stage bootloader's image."""
    addresses = _ADDRESSES[chip][0]
    sizes = (_BOOTLOADER_BYTES // 4, _BOOTLOADER_BYTES // 2, _BOOTLOADER_BYTES // 4)
    segments = [
        (address, _code(f"{chip} bootloader {address}", size))
        for address, size in zip(addresses, sizes, strict=True)
    ]
    return _image(chip, segments)


def application(chip: str, version: str = "1.25.0", size: int = APPLICATION_BYTES) -> bytes:
    """An application's image of about `size` bytes, which says it is MicroPython."""
    constants, data, program = _ADDRESSES[chip][1]
    said = espimage.describe("micropython", f"v{version}")
    segments = [
        (constants, said + _code(f"{chip} {version} constants", size // 4)),
        (data, _code(f"{chip} {version} data", 16_384)),
        (program, _code(f"{chip} {version} program", max(4, size - size // 4 - 16_384))),
    ]
    return _image(chip, segments)


def _image(chip: str, segments: list[tuple[int, bytes]]) -> bytes:
    return espimage.build(
        CHIPS[chip].image_id,
        segments,
        entry=segments[-1][0],
        min_revision=_MIN_REVISION[chip],
    )


def _code(seed: str, size: int) -> bytes:
    # Three fifths noise, two fifths of what came before: zlib brings it to some 65 %, as it does
    # machine code.
    noise = random.Random(seed)
    common = noise.randbytes(1024)
    pieces = [
        noise.randbytes(48) + common[at : at + 32]
        for at in (noise.randrange(992) for _ in range(size // 80 + 1))
    ]
    return b"".join(pieces)[:size]
