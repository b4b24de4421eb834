"""What an emulated board can be: any of the catalogue's, or a chip's usual one by the chip's name.

Facts of boards are the catalogue's. Here is what only an emulator needs to know, by chip; figures
are of stock MicroPython images and ESP-IDF, and docs/emulation.md has each one's source.
"""

from __future__ import annotations

from dataclasses import dataclass

from boards import catalogue
from boards.catalogue import Board

KIB = 1024

# Unix-port objects are about twice as large as the chip's (8-byte words), byte buffers are not.
OBJECT_GROWTH = 2
# The emulator's own modules, DAC and mailboxes live in the same heap: 47 + 16 + 9 KB, measured.
# And their 250 names make the interpreter's table of names double once more than a chip's: 14 KB.
STUBS_BYTES = (80 + 14) * KIB
# The doubles of I2C and of the chip behind it, where there is one, and its driver: 11 KB measured.
I2C_STUBS_BYTES = 12 * KIB
# So does the firmware's code, which a chip without PSRAM has to have in its image, frozen.
# Measured: importing it takes 206 KB here; frozen, it would leave some 36 KB in a chip's heap
# (docs/emulation.md), twice that here. The rest, less a reserve.
CODE_BYTES = 112 * KIB
# With a serial port the REPL is there too, which on a chip is C in flash: 14 KB, measured.
REPL_BYTES = 16 * KIB
# One collection of a heap in PSRAM.
_GC_PSRAM_US = 6000


@dataclass(frozen=True)
class _Pace:
    """How a chip spends time that the machine doesn't: loop_us is one idle turn of the event loop,
    gc_us one collection of a heap in its own RAM, dma_bytes the RAM that I2S may take."""

    loop_us: int
    gc_us: int
    dma_bytes: int


_PACES = {
    "esp32": _Pace(loop_us=500, gc_us=2500, dma_bytes=32 * KIB),
    "esp32s3": _Pace(loop_us=500, gc_us=2500, dma_bytes=64 * KIB),
    "esp32c3": _Pace(loop_us=900, gc_us=4000, dma_bytes=32 * KIB),
}
# The usual board of each chip.
_USUAL = {
    "esp32": "esp32_generic",
    "esp32s3": "esp32_generic_s3",
    "esp32c3": "esp32_generic_c3",
}


@dataclass(frozen=True)
class Profile:
    """One board, emulated. Heap in the chip's bytes; times in microseconds of the machine."""

    name: str  # as it was asked for: a chip's or a board's
    kind: Board
    loop_us: int
    gc_us: int
    dma_bytes: int
    flash_erase_us: int = 80_000

    @property
    def machine(self) -> str:
        """MICROPY_HW_BOARD_NAME with MICROPY_HW_MCU_NAME, as the banner has it."""
        chip = self.kind.chip.name.upper()
        return f"Generic {chip} module with {chip}"

    @property
    def build(self) -> str:
        """`sys.implementation._build`."""
        return self.kind.image

    @property
    def heap_argument(self) -> int:
        """Bytes for the unix port's `-X heapsize`."""
        own = STUBS_BYTES + (CODE_BYTES if self.kind.wants_frozen else 0)
        own += I2C_STUBS_BYTES if self.kind.dac.control else 0
        buffers = self.kind.ring_bytes
        return (self.kind.heap_bytes - buffers) * OBJECT_GROWTH + buffers + own


def profile(name: str) -> Profile:
    """The profile of a board or of a chip's usual board. Raises ValueError if there is none."""
    kind = catalogue.board(_USUAL.get(name, name))
    pace = _PACES.get(kind.chip.name)
    if pace is None:
        raise ValueError(f"no {kind.chip.title} can be emulated; there are {', '.join(_PACES)}")
    gc_us = _GC_PSRAM_US if kind.psram_bytes else pace.gc_us
    return Profile(name, kind, pace.loop_us, gc_us, pace.dma_bytes)


PROFILES = {name: profile(name) for name in _USUAL}
