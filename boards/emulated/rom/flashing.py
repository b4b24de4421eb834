"""One write to the flash, from its BEGIN to its END, as the ROM does it and as the stub does.

The ROM erases everything at BEGIN and reads back what it wrote. The stub erases ahead of what it
writes, so that a line which drops leaves the old content behind that point, and inflates in
buffers of 32 KiB.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from boards.emulated.rom.flash import FlashFile, FlashRangeError
from boards.emulated.rom.refusals import Reason, Refused
from boards.image.partitions import SECTOR

INFLATE_BUFFER = 32768


@dataclass(frozen=True)
class Begin:
    """What BEGIN announces. size: bytes to erase, of the content when it is compressed."""

    size: int
    blocks: int
    block_size: int
    offset: int


class Write:
    """A write under way. `end` is where the loader believes that the chip ends."""

    def __init__(
        self, flash: FlashFile, begin: Begin, end: int, compressed: bool, stub: bool
    ) -> None:
        if begin.offset + begin.size > end:
            raise Refused(Reason.FAILED)
        self._flash = flash
        self._stub = stub
        self._inflate = zlib.decompressobj() if compressed else None
        self._held = bytearray()
        self._block_size = begin.block_size
        self._blocks_left = begin.blocks
        self._at = begin.offset
        self._left = begin.size
        self._end = end
        self._erased_to = begin.offset // SECTOR * SECTOR
        if not stub and begin.size:
            self._erase_to(begin.offset + begin.size)

    @property
    def complete(self) -> bool:
        """Whether all that was announced has been written."""
        return self._left == 0

    @property
    def compressed(self) -> bool:
        """Whether blocks hold a zlib stream."""
        return self._inflate is not None

    def block(self, data: bytes) -> None:
        """Write the next block, inflated first if the write is compressed. Raises Refused."""
        if len(data) > self._block_size:
            raise Refused(Reason.BAD_LENGTH)
        if self._blocks_left == 0 and not self._stub:
            raise Refused(Reason.TOO_MUCH)
        self._blocks_left = max(0, self._blocks_left - 1)
        if self._inflate is None:
            # The last block is filled up to its size with bytes that nobody asked for.
            self._put(data[: self._left] if self._stub else data)
            return
        self._held += self._inflated(data)
        size = INFLATE_BUFFER if self._stub else SECTOR
        while len(self._held) >= size or (self._held and self._inflate.eof):
            piece = bytes(self._held[:size])
            del self._held[:size]
            if len(piece) > self._left:
                raise Refused(Reason.TOO_MUCH)
            self._put(piece)

    def _inflated(self, data: bytes) -> bytes:
        assert self._inflate is not None
        try:
            return self._inflate.decompress(data)
        except zlib.error as error:
            raise Refused(Reason.INFLATE) from error

    def _put(self, data: bytes) -> None:
        end = min(self._at + len(data), self._end) if not self._stub else self._at + len(data)
        data = data[: end - self._at]
        if self._stub:
            self._erase_to(end)
        try:
            self._flash.program(self._at, data)
        except FlashRangeError as error:
            raise Refused(Reason.WRITE) from error
        if not self._stub and self._flash.read(self._at, len(data)) != data:
            raise Refused(Reason.WRITE)
        self._at = end
        self._left = max(0, self._left - len(data))

    def _erase_to(self, end: int) -> None:
        if end <= self._erased_to:
            return
        try:
            self._flash.erase(self._erased_to, end - self._erased_to)
        except FlashRangeError as error:
            raise Refused(Reason.FAILED) from error
        self._erased_to = -(-end // SECTOR) * SECTOR
