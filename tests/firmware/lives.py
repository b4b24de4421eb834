"""Lives of a board whose flash is in memory: its own loader, littlefs and updates, at /sweep."""

import sys

import vfs

import loader
from phantom import manifest, update
from tests.firmware.flash_chip import FlashChip
from tests.firmware.updating import Board

ROOT = "/sweep"
_POWER_ON, _HARD = 1, 2  # of machine.reset_cause()


class _Machine:
    """Stands where the module `machine` would: why the chip was reset, and its RTC memory."""

    def __init__(self):
        self.cause = _POWER_ON
        self.retained = b""

    def reset_cause(self):
        return self.cause

    def RTC(self):  # noqa: N802 - as machine has it
        return self

    def memory(self, octets=None):
        if octets is None:
            return self.retained
        self.retained = octets
        return None


def _silent(*_):
    pass


loader.print = _silent  # pyright: ignore[reportAttributeAccessIssue]
loader._has_frozen = lambda: False  # the firmware on the path here is in no image
_LOADER = dict(loader.__dict__)  # whole: a start lets go of what decides
# A board lets go of these after each update; to compile them anew would be most of a sweep's time.
_LET_GO = {"phantom.manifest": manifest, "phantom.update": update}


class Lives:
    """A board that gets its power back.

    memory: of its flash. journal: what is done to it from then on, as flash_chip.cuts takes it.
    """

    def __init__(self, memory):
        self.memory = memory
        self.journal = []
        self._machine = _Machine()

    def live(self, act):
        """One life, from a start to a reset: what act(board) returns."""
        chip = FlashChip(self.memory, journal=self.journal)
        path = list(sys.path)
        sys.modules["machine"] = self._machine
        sys.modules.update(_LET_GO)
        vfs.mount(vfs.VfsLfs2(chip), ROOT)
        try:
            loader.boot(ROOT)
            state = loader.state
            for name in _LOADER:
                setattr(loader, name, _LOADER[name])
            return act(Board(ROOT, state))
        finally:
            vfs.umount(ROOT)
            chip.power_off()
            del sys.modules["machine"]
            sys.path[:] = path
            self._machine.cause = _HARD
