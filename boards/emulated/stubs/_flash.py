"""The flash chip over the image file, and regions of it as block devices.

NOR rules: programming only clears bits, erasing sets a 4096-byte sector to ones. Every erase
stalls the board as the chip does (micropython #3782: about 80 ms a sector). Power can be cut in
any of its operations, whole or torn: see boards/emulated/flash_power.py.
"""

import struct

import ffi
import micropython
import vfs
from _board import end, event, facts, machine_sleep_us
from resets import EXIT_POWER

SECTOR = 4096
_ERASED = b"\xff" * 256
_FAILED = -5
_SIG_BLOCK = 0
_SIG_SETMASK = 2

_sigprocmask = ffi.open("libc.so.6").func("i", "sigprocmask", "iPp")
_SIGINT_SET = b"\x02" + bytes(127)
_chip = None


def chip():
    """The board's one flash chip."""
    global _chip
    if _chip is None:
        _chip = _Chip()
    return _chip


@micropython.viper
def _would_set(new: ptr8, old: ptr8, n: int) -> int:
    for i in range(n):
        if new[i] & (old[i] ^ 0xFF):
            return 1
    return 0


class _Chip:
    def __init__(self):
        files = vfs.VfsPosix("/")  # pyright: ignore[reportAttributeAccessIssue]
        self._file = files.open(facts["flash"], "r+b")
        self._journal = files.open(facts["flash_journal"], "ab")  # a byte an operation
        self._cut = files.open(facts["flash_cut"], "rb")
        self._cut_record = bytearray(8)
        self._done = facts["flash_operations"]
        self._scratch = bytearray(SECTOR)
        self._erase_us = facts["flash_erase_us"]
        self._mask = bytearray(128)
        self._torn = 0

    def read(self, at, buffer):
        self._file.seek(at)
        self._file.readinto(buffer)

    def program(self, at, data):
        """Clear bits; returns whether that was all that was asked for."""
        n = len(data)
        before = self._scratch if n <= SECTOR else bytearray(n)
        self._file.seek(at)
        self._file.readinto(before, n)
        if _would_set(data, before, n):
            event("flash: program of %#x would set bits" % at)
            return False
        self._begin(b"P")
        if self._torn >= 0:
            data = memoryview(data)[: n * self._torn // 256]
        self._file.seek(at)
        self._file.write(data)
        self._end()
        return True

    def erase(self, at):
        """Set a sector to ones."""
        self._begin(b"E")
        n = SECTOR if self._torn < 0 else SECTOR * self._torn // 256
        self._file.seek(at)
        while n > 0:  # in pieces: it is the board's own heap
            n -= self._file.write(_ERASED, min(n, len(_ERASED)))
        self._end()
        machine_sleep_us(self._erase_us)

    def _begin(self, kind):
        # Ctrl-C waits until the chip is done, as it does where the driver is C.
        _sigprocmask(_SIG_BLOCK, _SIGINT_SET, self._mask)
        self._done += 1
        self._journal.write(kind)
        self._cut.seek(0)
        self._cut.readinto(self._cut_record)
        last, torn = struct.unpack("<II", self._cut_record)
        self._torn = torn if self._done == last else -1

    def _end(self):
        if self._torn >= 0:
            event("power cut in flash operation %d" % self._done)
            end(EXIT_POWER)
        _sigprocmask(_SIG_SETMASK, self._mask, None)


class Region:
    """A block device, as esp32.Partition is one: [start, end) of the chip, in bytes."""

    def __init__(self, start, end):
        self._start = start
        self._blocks = (end - start) // SECTOR

    def _at(self, block, offset, size):
        at = block * SECTOR + offset
        if block < 0 or at + size > self._blocks * SECTOR:
            raise OSError(-0x104, "ESP_ERR_INVALID_SIZE")
        return self._start + at

    def readblocks(self, block, buffer, offset=0):
        chip().read(self._at(block, offset, len(buffer)), buffer)

    def writeblocks(self, block, buffer, offset=None):
        """Without an offset the blocks are erased first."""
        at = self._at(block, offset or 0, len(buffer))
        if offset is None:
            for sector in range(at, at + len(buffer), SECTOR):
                chip().erase(sector)
        return None if chip().program(at, buffer) else _FAILED

    def ioctl(self, operation, argument):
        if operation in (1, 2, 3):
            return 0
        if operation == 4:
            return self._blocks
        if operation == 5:
            return SECTOR
        if operation == 6:
            chip().erase(self._at(argument, 0, SECTOR))
            return 0
        return None
