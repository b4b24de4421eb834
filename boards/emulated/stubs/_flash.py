"""The flash chip's file system region as a block device over the image file.

NOR rules: programming only clears bits, erasing sets a 4096-byte sector to ones. Every erase and
program stalls the board as the chip does (micropython #3782: about 80 ms a sector).
"""

import vfs
from _board import event, facts, machine_sleep_us

_SECTOR = 4096
_ERASED = b"\xff" * 256


class Flash:
    def __init__(self, path, start, end):
        self._start = start
        self._blocks = (end - start) // _SECTOR
        self._file = vfs.VfsPosix("/").open(path, "r+b")
        self._scratch = bytearray(_SECTOR)
        self._erase_us = facts["flash_erase_us"]

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(self._start + block * _SECTOR + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        at = self._start + block * _SECTOR + offset
        n = len(buffer)
        self._file.seek(at)
        before = self._scratch
        self._file.readinto(before, n)
        for i in range(n):
            if buffer[i] & ~before[i] & 0xFF:
                event("flash: program of %#x would set bits" % at)
                return -5
        self._file.seek(at)
        self._file.write(buffer)
        return None

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._blocks
        if operation == 5:
            return _SECTOR
        if operation == 6:
            self._file.seek(self._start + argument * _SECTOR)
            for _ in range(_SECTOR // len(_ERASED)):  # in pieces: it is the board's own heap
                self._file.write(_ERASED)
            machine_sleep_us(self._erase_us)
            return 0
        return None
