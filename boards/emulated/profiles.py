"""The chips an emulated board can be: what the firmware can feel of each.

Figures are of stock MicroPython images and ESP-IDF; see docs/emulation.md for each one's source.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024

# Unix-port objects are about twice as large as the chip's (8-byte words), byte buffers are not.
OBJECT_GROWTH = 2
# The emulator's own modules, DAC and mailboxes live in the same heap: 47 + 16 + 9 KB, measured.
# And their 250 names make the interpreter's table of names double once more than a chip's: 14 KB.
STUBS_BYTES = (80 + 14) * KIB
# So does the firmware's code, which a chip without PSRAM has to keep in flash: frozen into its
# image, or in ROMFS. Measured: what importing it takes here.
CODE_BYTES = 80 * KIB
# With a serial port the REPL is there too, which on a chip is C in flash: 14 KB, measured.
REPL_BYTES = 16 * KIB


@dataclass(frozen=True)
class Profile:
    """One chip. Heap in the chip's bytes; times in microseconds of the machine."""

    name: str
    board: str
    machine: str  # MICROPY_HW_BOARD_NAME with MICROPY_HW_MCU_NAME, as the banner has it
    build: str  # sys.implementation._build
    max_hz: int
    heap_bytes: int  # what MicroPython's heap reaches before the IDF runs short
    ring_bytes: int  # the renderer's share of it: bytes, so not doubled
    dma_bytes: int  # internal RAM that I2S may take
    ibuf_bytes: int
    i2s_ports: int
    loop_us: int  # one idle turn of the event loop
    gc_us: int  # one collection
    flash_erase_us: int = 80_000
    dac_delay_us: int = 1150  # FIFO 0.7 ms + PCM5102 0.45 ms

    @property
    def heap_argument(self) -> int:
        """Bytes for the unix port's `-X heapsize`."""
        own = STUBS_BYTES + CODE_BYTES
        return (self.heap_bytes - self.ring_bytes) * OBJECT_GROWTH + self.ring_bytes + own


PROFILES = {
    p.name: p
    for p in (
        Profile(
            name="esp32",
            board="esp32_generic",
            machine="Generic ESP32 module with ESP32",
            build="ESP32_GENERIC",
            max_hz=240_000_000,
            heap_bytes=128 * KIB,  # leaves the IDF some 24 KB beside Wi-Fi: not tried on a board
            ring_bytes=48 * KIB,
            dma_bytes=32 * KIB,
            ibuf_bytes=16 * KIB,
            i2s_ports=2,
            loop_us=500,
            gc_us=2500,
        ),
        Profile(
            name="esp32s3",
            board="esp32_generic_s3",
            machine="Generic ESP32S3 module with ESP32S3",
            build="ESP32_GENERIC_S3",
            max_hz=240_000_000,
            heap_bytes=2048 * KIB,
            ring_bytes=1024 * KIB,
            dma_bytes=64 * KIB,
            ibuf_bytes=32 * KIB,
            i2s_ports=2,
            loop_us=500,
            gc_us=6000,
        ),
        Profile(
            name="esp32c3",
            board="esp32_generic_c3",
            machine="Generic ESP32C3 module with ESP32C3",
            build="ESP32_GENERIC_C3",
            max_hz=160_000_000,
            heap_bytes=128 * KIB,
            ring_bytes=48 * KIB,
            dma_bytes=32 * KIB,
            ibuf_bytes=16 * KIB,
            i2s_ports=1,
            loop_us=900,
            gc_us=4000,
        ),
    )
}
