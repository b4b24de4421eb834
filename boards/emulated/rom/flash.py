"""The flash chip as a file: programming clears bits, only erasing a sector sets them."""

from __future__ import annotations

from pathlib import Path

from boards.image.partitions import MIB, SECTOR

WINBOND = 0xEF
_SPI_NOR = 0x40


class FlashRangeError(ValueError):
    """An access beyond the end of the chip."""


class FlashFile:
    """A whole chip's content at `path`, opened anew for every access: others may replace the file.

    `stuck` holds addresses of worn-out bytes, which read as 0 whatever is written: with them a
    digest taken after writing is wrong, honestly.
    """

    def __init__(self, path: Path, stuck: frozenset[int] = frozenset()) -> None:
        self.path = path
        self.stuck = stuck

    @classmethod
    def blank(cls, path: Path, size: int = 4 * MIB) -> FlashFile:
        """A new chip: erased."""
        path.write_bytes(b"\xff" * size)
        return cls(path)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size

    @property
    def jedec_id(self) -> int:
        """What the chip answers to command 0x9F: maker, kind, log2 of its size."""
        return WINBOND | _SPI_NOR << 8 | (self.size.bit_length() - 1) << 16

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes. Raises FlashRangeError."""
        self._check(offset, count)
        with self.path.open("rb") as file:
            file.seek(offset)
            return file.read(count)

    def program(self, offset: int, data: bytes) -> None:
        """Clear those bits that are 0 in `data`. Raises FlashRangeError."""
        old = self.read(offset, len(data))
        if old.count(0xFF) != len(old):
            cleared = int.from_bytes(old, "little") & int.from_bytes(data, "little")
            data = cleared.to_bytes(len(data), "little")
        self._write(offset, data)

    def erase(self, offset: int, count: int) -> None:
        """Set all bits of the sectors that the range touches. Raises FlashRangeError."""
        start = offset // SECTOR * SECTOR
        end = -(-(offset + count) // SECTOR) * SECTOR
        self._check(start, end - start)
        self._write(start, b"\xff" * (end - start))

    def _write(self, offset: int, data: bytes) -> None:
        stuck = [at - offset for at in self.stuck if offset <= at < offset + len(data)]
        if stuck:
            changed = bytearray(data)
            for at in stuck:
                changed[at] = 0
            data = bytes(changed)
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    def _check(self, offset: int, count: int) -> None:
        if offset < 0 or count < 0 or offset + count > self.size:
            raise FlashRangeError(
                f"flash of {self.size:#x} bytes: {count:#x} from {offset:#x} on go beyond its end"
            )
