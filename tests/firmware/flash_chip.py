"""A flash chip in memory whose power can be cut at any of its operations, for littlefs."""

SECTOR = 4096
_ERASED = b"\xff" * SECTOR
_FAILED = -5


class FlashChip:
    """A block device with NOR rules: erasing sets a sector to ones, programming only clears bits.

    `memory` outlives the power: a chip made from another's memory is the same one after a restart.
    Operations (erases and programs) are counted in `operations`; the one numbered `cut_at` is the
    last, and `torn` of its 256ths are done. From then on the chip is off.
    """

    def __init__(self, memory, cut_at=None, torn=0):
        self.memory = memory
        self.operations = 0
        self._cut_at = cut_at
        self._torn = torn
        self._off = False

    def readblocks(self, block, buffer, offset=0):
        if self._off:
            return _FAILED
        at = block * SECTOR + offset
        buffer[:] = self.memory[at : at + len(buffer)]
        return None

    def writeblocks(self, block, buffer, offset=0):
        if self._off:
            return _FAILED
        at = block * SECTOR + offset
        n = self._share(len(buffer))
        for i in range(n):
            assert not buffer[i] & ~self.memory[at + i] & 0xFF, "a program would set bits"
            self.memory[at + i] = buffer[i]
        return _FAILED if self._off else None

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.memory) // SECTOR
        if operation == 5:
            return SECTOR
        if operation != 6:
            return None
        if self._off:
            return _FAILED
        n = self._share(SECTOR)
        at = argument * SECTOR
        self.memory[at : at + n] = _ERASED[:n]
        return _FAILED if self._off else 0

    def _share(self, size):
        """How much of an operation is done: all of it, unless the power goes."""
        self.operations += 1
        if self.operations != self._cut_at:
            return size
        self._off = True
        return size * self._torn // 256
