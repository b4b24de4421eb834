"""Memory of the modelled CPU: little-endian, aligned and bounds-checked."""

from __future__ import annotations

from array import array
from typing import TypeAlias

Buffer: TypeAlias = "bytes | bytearray | memoryview | array[int]"

_SEGMENT_BITS = 20  # every mapped buffer has a megabyte of addresses of its own
_FIRST_SEGMENT = 0x3FB  # 0x3FB00000: where an ESP32 has its data memory


class MachineError(Exception):
    """The code did what would crash or corrupt a board; the message has the address."""


class Memory:
    """Buffers mapped at 1 MiB steps; every access must be aligned and inside one of them."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._octets: dict[int, memoryview] = {}
        self._halves: dict[int, memoryview] = {}
        self._words: dict[int, memoryview] = {}
        self._next = _FIRST_SEGMENT

    def map(self, buffer: Buffer, *, by_words: bool = False) -> int:
        """Map `buffer`, which stays the caller's, and return its address.

        by_words: this memory takes aligned 32-bit accesses only, as an ESP32's for code does.
        """
        octets = memoryview(buffer).cast("B")
        if len(octets) >> _SEGMENT_BITS:
            raise ValueError(f"a buffer of {len(octets)} bytes does not fit a segment of 1 MiB")
        segment, self._next = self._next, self._next + 1
        self._sizes[segment] = len(octets)
        if not by_words:
            self._octets[segment] = octets
            self._halves[segment] = octets[: len(octets) & ~1].cast("H")
        self._words[segment] = octets[: len(octets) & ~3].cast("I")
        return segment << _SEGMENT_BITS

    def unmap_after(self, address: int) -> None:
        """Forget every buffer that was mapped after the one at `address`."""
        keep = address >> _SEGMENT_BITS
        for table in (self._sizes, self._octets, self._halves, self._words):
            for segment in [segment for segment in table if segment > keep]:
                del table[segment]
        self._next = keep + 1

    def load8(self, address: int) -> int:
        return self._at(self._octets, address, 0)

    def load16(self, address: int) -> int:
        return self._at(self._halves, address, 1)

    def load32(self, address: int) -> int:
        return self._at(self._words, address, 2)

    def store8(self, address: int, value: int) -> None:
        self._put(self._octets, address, 0, value)

    def store16(self, address: int, value: int) -> None:
        self._put(self._halves, address, 1, value)

    def store32(self, address: int, value: int) -> None:
        self._put(self._words, address, 2, value)

    def _at(self, views: dict[int, memoryview], address: int, shift: int) -> int:
        try:
            if not address & (1 << shift) - 1:
                return views[address >> _SEGMENT_BITS][(address & 0xFFFFF) >> shift]
        except (KeyError, IndexError):
            pass
        raise MachineError(
            f"load of {1 << shift} bytes at {address:#x}: {self._why(address, shift)}"
        )

    def _put(self, views: dict[int, memoryview], address: int, shift: int, value: int) -> None:
        try:
            if not address & (1 << shift) - 1:
                views[address >> _SEGMENT_BITS][(address & 0xFFFFF) >> shift] = value
                return
        except (KeyError, IndexError):
            pass
        except TypeError:
            raise MachineError(f"store at {address:#x}: read-only memory") from None
        raise MachineError(
            f"store of {1 << shift} bytes at {address:#x}: {self._why(address, shift)}"
        )

    def _why(self, address: int, shift: int) -> str:
        if address & (1 << shift) - 1:
            return "not aligned"
        segment = address >> _SEGMENT_BITS
        if segment not in self._sizes:
            return "nothing is mapped there"
        if segment not in self._octets and address & 0xFFFFF < self._sizes[segment]:
            return "that memory takes whole words only"
        return f"{address & 0xFFFFF} is outside a buffer of {self._sizes[segment]} bytes"
