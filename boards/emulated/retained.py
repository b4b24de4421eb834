"""What an emulated chip keeps over a reset: RTC memory, and the watchdog over a soft one.

The interpreter's side, and the layout, are in stubs/_retained.py.
"""

from __future__ import annotations

import struct
from pathlib import Path

_HEADER = struct.Struct("<IH")  # watchdog ms (0: not started), bytes of RTC memory
MEMORY_BYTES = 2048


class Retained:
    """The memory of one board, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.power_on()

    def power_on(self) -> None:
        """All is lost: RTC().memory() is empty as its magic word is, no watchdog runs."""
        self._write(0, b"")

    def reset(self) -> None:
        """A reset of the chip by whatever means: the watchdog is off, the memory stays."""
        self._write(0, self.memory)

    @property
    def memory(self) -> bytes:
        """What `machine.RTC().memory()` answers."""
        content = self.path.read_bytes()
        size = _HEADER.unpack_from(content)[1]
        return content[_HEADER.size : _HEADER.size + size]

    @memory.setter
    def memory(self, data: bytes) -> None:
        if len(data) > MEMORY_BYTES:
            raise ValueError(f"RTC memory: {len(data)} bytes do not fit its {MEMORY_BYTES}")
        self._write(_HEADER.unpack_from(self.path.read_bytes())[0], data)

    def _write(self, watchdog_ms: int, memory: bytes) -> None:
        # Overwritten in place: the interpreter may have it open.
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(_HEADER.pack(watchdog_ms, len(memory)) + memory)
