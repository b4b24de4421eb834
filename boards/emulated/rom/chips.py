"""What differs from chip to chip in its mask ROM: registers, fuses, sizes, sayings.

Register addresses are of Espressif's technical reference manuals and headers (soc/*_reg.h).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from boards.image import chips


@dataclass(frozen=True)
class Chip:
    """One kind of chip. Revisions are major * 100 + minor."""

    name: str
    revision: int
    has_security_info: bool
    begin_words: int  # parameters of FLASH_BEGIN
    spi_base: int
    spi_usr2: int
    spi_w0: int
    mac_low: int
    # The RTC watchdog: its first configuration register and the register that unlocks it.
    watchdog: int | None
    watchdog_lock: int | None
    # Clearing its bit 0 is what a tool does last before a hard reset.
    force_download: int | None
    hello: str  # what the ROM says first
    boot_strap: str
    download_strap: str
    fuses: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def image_id(self) -> int:
        """As in the images made for it, and in its answer to GET_SECURITY_INFO."""
        return chips.CHIPS[self.name].image_id

    @property
    def bootloader_offset(self) -> int:
        """Where in flash the ROM looks for a bootloader."""
        return chips.CHIPS[self.name].bootloader_offset

    def registers(self, mac: bytes) -> dict[int, int]:
        """Registers that don't read as 0 after a reset."""
        low, high = int.from_bytes(mac[2:], "big"), int.from_bytes(mac[:2], "big")
        return self.fuses | {self.mac_low: low, self.mac_low + 4: high}


WATCHDOG_KEY = 0x50D83AA1

_ESP32 = Chip(
    name="esp32",
    revision=301,
    has_security_info=False,
    begin_words=4,
    spi_base=0x3FF42000,
    spi_usr2=0x24,
    spi_w0=0x80,
    mac_low=0x3FF5A004,
    watchdog=None,
    watchdog_lock=None,
    force_download=None,
    hello="ets Jul 29 2019 12:21:46\r\n\r\n",
    boot_strap="boot:0x13 (SPI_FAST_FLASH_BOOT)",
    download_strap="boot:0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))",
    fuses={
        0x40001000: 0x00F01D83,  # a word of the ROM by which tools know an ESP32
        # ESP32-D0WD-V3, revision 3.1: bits of the revision are in three places.
        0x3FF5A00C: 1 << 15 | 1 << 13 | 1 << 9,
        0x3FF5A014: 1 << 24 | 1 << 20,
        0x3FF6607C: 1 << 31,
        # A crystal of 40 MHz, by which the tool works it out: the divider of 115200 baud, and the
        # ROM's measurement of the 8 MHz clock.
        0x3FF40014: 347,
        0x3FF5F06C: 800 << 7,
        0x3FF5A010: 128,
    },
)

_ESP32S3 = Chip(
    name="esp32s3",
    revision=2,
    has_security_info=True,
    begin_words=5,
    spi_base=0x60002000,
    spi_usr2=0x20,
    spi_w0=0x58,
    mac_low=0x60007044,
    watchdog=0x60008098,
    watchdog_lock=0x600080B0,
    force_download=0x6000812C,
    hello="ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\n",
    boot_strap="boot:0x8 (SPI_FAST_FLASH_BOOT)",
    download_strap="boot:0x0 (DOWNLOAD(USB/UART0))",
    fuses={0x60007050: 2 << 18},  # revision 0.2
)

_ESP32C3 = Chip(
    name="esp32c3",
    revision=4,
    has_security_info=True,
    begin_words=5,
    spi_base=0x60002000,
    spi_usr2=0x20,
    spi_w0=0x58,
    mac_low=0x60008844,
    watchdog=0x60008090,
    watchdog_lock=0x600080A8,
    force_download=None,
    hello="ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n",
    boot_strap="boot:0xc (SPI_FAST_FLASH_BOOT)",
    download_strap="boot:0x4 (DOWNLOAD(USB/UART0/1))",
    fuses={0x60008850: 4 << 18},  # revision 0.4; MicroPython's images want 0.3
)

CHIPS = {chip.name: chip for chip in (_ESP32, _ESP32S3, _ESP32C3)}
