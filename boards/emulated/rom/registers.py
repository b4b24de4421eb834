"""Registers that tools read and write through the loader, and what writing some of them does."""

from __future__ import annotations

from boards.emulated.rom.chips import WATCHDOG_KEY, Chip
from boards.emulated.rom.flash import FlashFile

_SPI_USER_COMMAND = 1 << 18
_READ_ID = 0x9F
_READ_PARAMETERS = 0x5A  # JEDEC JESD216: a table that starts with "SFDP"
_SFDP = int.from_bytes(b"SFDP", "little")
_SPI_ADDRESS = 0x04
_WATCHDOG_ENABLE = 1 << 31
_WORD = 0xFFFFFFFF


class Registers:
    """The registers of a chip; those nobody knows read as 0 until something is written to them."""

    def __init__(self, chip: Chip, flash: FlashFile, mac: bytes) -> None:
        self._chip = chip
        self._flash = flash
        self._values = chip.registers(mac)
        self.watchdog_armed = False

    def read(self, address: int) -> int:
        """The 32-bit word at an address."""
        return self._values.get(address, 0)

    def write(self, address: int, value: int, mask: int, attached: bool) -> None:
        """Set the bits in `mask`. `attached`: whether the flash is at the SPI pins."""
        chip = self._chip
        value = value & mask | self.read(address) & ~mask & _WORD
        if address == chip.watchdog and self.read(chip.watchdog_lock or 0) != WATCHDOG_KEY:
            return
        self._values[address] = value
        if address == chip.watchdog:
            self.watchdog_armed = bool(value & _WATCHDOG_ENABLE)
        if address == chip.spi_base and value & _SPI_USER_COMMAND:
            self._spi_command(attached)

    def _spi_command(self, attached: bool) -> None:
        """One command to the flash chip: its identity, or something that reads as 0."""
        chip = self._chip
        command = self.read(chip.spi_base + chip.spi_usr2) & 0xFF
        answer = 0
        if command == _READ_ID and attached:
            answer = self._flash.jedec_id
        elif command == _READ_PARAMETERS and attached:
            answer = _SFDP if self.read(chip.spi_base + _SPI_ADDRESS) == 0 else 0
        self._values[chip.spi_base + chip.spi_w0] = answer
        self._values[chip.spi_base] &= ~_SPI_USER_COMMAND
