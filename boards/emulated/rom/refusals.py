"""Why a loader refuses a command, in the numbers of the ROM and in those of the stub.

ROM: esptool's documentation, "Serial Protocol". Stub: esp-flasher-stub, src/commands.h.
"""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """(second status byte of the ROM after 1, first status byte of the stub before 0)."""

    UNKNOWN = (0x05, 0xC3)
    BAD_LENGTH = (0x05, 0xC0)
    FAILED = (0x06, 0xC4)
    NOT_BEGUN = (0x06, 0xC6)
    TOO_MUCH = (0x06, 0xC9)
    CHECKSUM = (0x07, 0xC1)
    WRITE = (0x08, 0xC4)
    READ = (0x09, 0xC4)
    READ_LENGTH = (0x0A, 0xC0)
    INFLATE = (0x0B, 0xC7)

    @property
    def rom_status(self) -> bytes:
        """Four bytes, of which the ROM uses two."""
        return bytes((1, self.value[0], 0, 0))

    @property
    def stub_status(self) -> bytes:
        """Two bytes."""
        return bytes((self.value[1], 0))


class Refused(Exception):
    """A command isn't carried out."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.name)
        self.reason = reason
