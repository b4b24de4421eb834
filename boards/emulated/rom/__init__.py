"""A chip's mask ROM: its serial loader, on which esptool works, and what it boots."""

from boards.emulated.rom.boot import BootResult, boot_image, boot_log, download_log
from boards.emulated.rom.chips import CHIPS, Chip
from boards.emulated.rom.flash import FlashFile
from boards.emulated.rom.loader import SYNC_BYTES, RomLoader, Trouble, from_sync, is_sync

__all__ = [
    "CHIPS",
    "SYNC_BYTES",
    "BootResult",
    "Chip",
    "FlashFile",
    "RomLoader",
    "Trouble",
    "boot_image",
    "boot_log",
    "download_log",
    "from_sync",
    "is_sync",
]
