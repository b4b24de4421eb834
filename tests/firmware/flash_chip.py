"""A flash chip in memory whose power can be cut at any of its operations, for littlefs."""

SECTOR = 4096
_ERASED = b"\xff" * SECTOR
_FAILED = -5


class FlashChip:
    """A block device with NOR rules: erasing sets a sector to ones, programming only clears bits.

    `memory` outlives the power: a chip made from another's memory is the same one after a restart.
    Operations (erases and programs) are counted in `operations`; the one numbered `cut_at` is the
    last, and `torn` of its 256ths are done. From then on the chip is off. Each is added to a
    `journal`, if there is one, as (address, octets or None for an erase).
    """

    def __init__(self, memory, cut_at=None, torn=0, journal=None):
        self.memory = memory
        self._view = memoryview(memory)
        self.operations = 0
        self._journal = journal
        self._cut_at = cut_at
        self._torn = torn
        self._off = False

    def readblocks(self, block, buffer, offset=0):
        if self._off:
            return _FAILED
        at = block * SECTOR + offset
        buffer[:] = self._view[at : at + len(buffer)]  # no copy in between: littlefs reads a lot
        return None

    def writeblocks(self, block, buffer, offset=0):
        if self._off:
            return _FAILED
        at = block * SECTOR + offset
        if self._journal is not None:
            self._journal.append((at, bytes(buffer)))
        n = self._share(len(buffer))
        old = int.from_bytes(self.memory[at : at + n], "little")
        new = int.from_bytes(buffer[:n], "little")
        assert old & new == new, "a program would set bits"
        self.memory[at : at + n] = buffer[:n]
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
        at = argument * SECTOR
        if self._journal is not None:
            self._journal.append((at, None))
        n = self._share(SECTOR)
        self.memory[at : at + n] = _ERASED[:n]
        return _FAILED if self._off else 0

    def power_off(self):
        """Do nothing any more, whoever still has a file open."""
        self._off = True

    def _share(self, size):
        """How much of an operation is done: all of it, unless the power goes."""
        self.operations += 1
        if self.operations != self._cut_at:
            return size
        self._off = True
        return size * self._torn // 256


def cuts(memory, journal, tears, each):
    """What cuts of power in each operation of a journal leave of a chip that began as `memory`.

    Yields (the operation's number from 0, 256ths of it that are done, the memory after): every
    operation with `each` of `tears`, or else with one of them in turn.
    """
    memory = bytearray(memory)
    for number, operation in enumerate(journal):
        for torn in tears if each else tears[number % len(tears) :][:1]:
            after = bytearray(memory)
            _do(after, operation, torn)
            yield number, torn, after
        _do(memory, operation, 256)


def cut(memory, journal, number, torn):
    """The memory after a cut in the operation `number` of a journal, counted from 0."""
    after = bytearray(memory)
    for operation in journal[:number]:
        _do(after, operation, 256)
    _do(after, journal[number], torn)
    return after


def _do(memory, operation, share):
    at, octets = operation
    octets = _ERASED if octets is None else octets
    size = len(octets) * share // 256
    memory[at : at + size] = octets[:size]
