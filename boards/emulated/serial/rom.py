"""The mask ROM at a board's serial line: it starts what is in flash, or waits for tools.

esptool can't reset a chip over a pseudo-terminal, but goes on all the same: when its SYNC comes
while the firmware runs, the firmware is stopped and the ROM's loader answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from boards.emulated.rom.loader import SYNC_BYTES, is_sync
from boards.emulated.rom.mask_rom import MaskRom
from boards.emulated.serial.line import SerialLine

_LOOK_S = 0.1


def _nobody(data: bytes) -> None:
    del data


class RomOnLine:
    """What happens on `line` while no firmware runs. `stop` ends the firmware, for a tool."""

    def __init__(self, line: SerialLine, rom: MaskRom, stop: Callable[[], None]) -> None:
        self._line = line
        self._rom = rom
        self._stop = stop
        self._turn = threading.RLock()  # the line's thread and the chip's
        self._started = threading.Event()
        self._why = "power"
        self._recent = b""
        line.watch(self._overhear)

    @property
    def serving(self) -> bool:
        """Whether the line is the ROM's now."""
        return not self._started.is_set()

    def start(self, why: str, strap: str = "run") -> None:
        """The chip is reset, for a reason `why` (rom.boot.RESETS), strapped to run or download."""
        with self._turn:
            self._started.clear()
            self._why = why
            self._take_line()
            boots = self._rom.boots
            self._say(self._rom.reset(strap, why), boots)

    def wait(self, powered: Callable[[], bool]) -> str | None:
        """Until firmware is to run: why the chip was reset last. None if the power goes before."""
        while powered():
            if self._started.wait(_LOOK_S):
                return self._why
            with self._turn:
                self._line.say(self._rom.passed())
        return None

    def off(self) -> None:
        """The power is gone: nobody hears what comes."""
        with self._turn:
            self._line.hand_to(_nobody)

    # On the line's thread

    def _overhear(self, data: bytes) -> bool:
        # What goes to the firmware, unless it is a tool that wants the loader.
        self._recent = (self._recent + data)[-4 * SYNC_BYTES :]
        if not is_sync(self._recent):
            return False
        data, self._recent = self._recent, b""
        with self._turn:
            self._started.clear()
            self._stop()
            self._take_line()
            self._received(data)
        return True

    def _received(self, data: bytes) -> None:
        with self._turn:
            boots = self._rom.boots
            self._why = "software"
            self._say(self._rom.received(data), boots)

    def _closed(self) -> None:
        with self._turn:
            boots = self._rom.boots
            self._why = "power"
            self._say(self._rom.closed(), boots)

    def _opened(self) -> None:
        with self._turn:
            self._rom.reopened()

    def _take_line(self) -> None:
        self._recent = b""
        self._line.hand_to(self._received, self._closed, self._opened)

    def _say(self, data: bytes, boots_before: int) -> None:
        booted = self._rom.boots > boots_before
        # The log is for people: not the packets of a tool.
        self._line.say(data, logged=booted or not self._rom.downloading)
        if booted:
            self._line.hand_to(None)
            self._started.set()
