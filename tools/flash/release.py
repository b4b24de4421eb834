"""The MicroPython image that a board is to get: whole, MicroPython, and new enough."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from boards.image import chips, release
from boards.image.chips import Chip
from boards.image.partitions import Partition
from tools.flash.faults import FlashFault

# Phantom needs what 1.24 has: the I2S driver of ESP-IDF 5 in its mended form.
FLOOR = (1, 24)

# What MicroPython's build calls a module of Phantom's that it froze into the image.
_FROZEN = b"\0phantom/device.py\0"

_VERSION = re.compile(r"v?(\d+)\.(\d+)")
# The interpreter's greeting, where an application does not describe itself.
_GREETING = re.compile(rb"MicroPython v(\d+\.\d+[-.\w]*)")


@dataclass(frozen=True)
class Release:
    """chip: that it is for. data: its bytes, from chip.bootloader_offset on in flash."""

    path: Path
    chip: Chip
    version: str
    partitions: tuple[Partition, ...]
    data: bytes

    @property
    def frozen(self) -> bool:
        """Whether Phantom is in it: firmware/manifest.py."""
        return _FROZEN in self.data

    @property
    def end(self) -> int:
        """The first byte of flash behind it."""
        return self.chip.bootloader_offset + len(self.data)


def load(path: Path) -> Release:
    """The image in a file. Raises FlashFault, which says what the file is instead."""
    try:
        found = release.load(path)
    except FileNotFoundError:
        raise FlashFault(f"{path}: no such file: give MicroPython's .bin for the board") from None
    except OSError as fault:
        raise FlashFault(f"{path}: {fault.strerror}: give another --firmware") from None
    except release.ReleaseError as fault:
        raise FlashFault(str(fault)) from None
    chip = chips.CHIPS[found.chip]
    version = _version(path, found)
    return Release(path, chip, version, found.partitions, found.content)


def _version(path: Path, found: release.Release) -> str:
    said, project = found.application.version.removeprefix("v"), found.application.project
    if project != "micropython" or not _VERSION.match(said):
        greeting = _GREETING.search(found.content)
        if greeting is None:
            raise FlashFault(
                f"{path.name}: not MicroPython, but {project or 'something else'}: "
                "get MicroPython's .bin for the board"
            )
        said = greeting[1].decode()
    match = _VERSION.match(said)
    assert match is not None
    if (int(match[1]), int(match[2])) < FLOOR:
        raise FlashFault(
            f"{path.name}: MicroPython {said} is too old: "
            f"Phantom needs {FLOOR[0]}.{FLOOR[1]} or newer"
        )
    return said
