"""The lives of an emulated chip: from power-on to power-off, one interpreter after another."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from boards.emulated.flash_power import FlashPower
from boards.emulated.retained import Retained
from boards.emulated.stubs import resets

# The process ends within this after SIGTERM, or it is killed.
STOP_SECONDS = 2.0
# A ROM boots in a blink; the machine may be busy.
BOOT_SECONDS = 10.0

Process = subprocess.Popen[bytes]
# Starts the interpreter: why the chip was reset, whether the REPL comes up raw.
Begin = Callable[[int, bool], Process]
Remark = Callable[[str], None]

# Which of the ROM's resets a cause is: a task watchdog and machine.reset() are the software's.
_ROM_RESETS = {resets.PWRON_RESET: "power"}
_CAUSES = {"power": resets.PWRON_RESET, "software": resets.HARD_RESET}


class Rom(Protocol):
    """What runs between a reset and the firmware: see serial/rom.py."""

    @property
    def serving(self) -> bool:
        """Whether no firmware is to run now."""
        ...

    def start(self, why: str, strap: str = "run") -> None:
        """Reset the chip."""

    def wait(self, powered: Callable[[], bool]) -> str | None:
        """Wait until firmware is to run."""

    def off(self) -> None:
        """The power goes."""


class Lives:
    """One chip's. `begin` starts an interpreter; `remark` takes a line for the log.

    With a `rom` the chip boots what is in its flash, if that boots; without, what it always has.
    """

    rom: Rom | None = None

    def __init__(
        self, begin: Begin, retained: Retained, flash_power: FlashPower, remark: Remark
    ) -> None:
        self._begin = begin
        self._retained = retained
        self._flash_power = flash_power
        self._remark = remark
        self._turn = threading.Lock()  # of whoever ends a life or begins one
        self._process: Process | None = None
        self._watcher: threading.Thread | None = None
        self._on = False
        self._ordered: int | None = None  # the cause of a reset from outside
        self._decided = threading.Event()  # whether the flash holds something that runs

    @property
    def powered(self) -> bool:
        """Whether the chip runs, or is about to again after a reset."""
        return self._on

    @property
    def pid(self) -> int | None:
        """The interpreter's process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def power_on(self) -> None:
        """Begin the first life, unless the chip has power. The firmware runs, if there is any."""
        if self._on:
            return
        self._on = True
        self._process = None
        self._decided.clear()
        if self.rom is None:
            self._process = self._begin(resets.PWRON_RESET, False)
        self._watcher = threading.Thread(target=self._watch, name="chip", daemon=True)
        self._watcher.start()
        if self.rom is not None:
            # Else what a tool sends at once would be lost in the ROM, as on a chip that was reset.
            self._decided.wait(BOOT_SECONDS)

    def power_off(self, number: signal.Signals) -> None:
        """End the life that runs with signal `number`; no other follows."""
        with self._turn:
            self._on = False
            process = self._process
        if process is not None:
            _end(process, number)
        self._retained.power_on()
        if self._watcher is not None:
            self._watcher.join(STOP_SECONDS)

    def reset(self, cause: int) -> None:
        """Reset the chip from outside; the next life finds `cause`."""
        with self._turn:
            if not self._on:
                return
            self._ordered = cause
            if self.pid is not None and self._process is not None:
                self._process.kill()
                return
        # Not under our lock: the line's thread holds the ROM's when it stops the firmware.
        if self.rom is not None:
            self.rom.start(_ROM_RESETS[cause])

    def stop_for_a_tool(self) -> None:
        """End the firmware: the ROM's loader has the chip, until a tool lets it go."""
        with self._turn:
            self._ordered = resets.LOADER
            process = self._process
        if process is not None:
            process.kill()
            process.wait()

    def _watch(self) -> None:
        # A board that resets comes up again; one that crashes too, as its watchdog would see to.
        cause: int | None = resets.PWRON_RESET
        raw = False
        while True:
            if self._process is not None:
                code = self._process.wait()
                raw = code == resets.EXIT_SOFT_RAW
                if self._on and self._ordered is None:
                    cause = self._cause(code)
            with self._turn:
                cause, self._ordered = self._ordered or cause, None
            if cause is not None and cause != resets.SOFT_RESET and self._on:
                self._retained.reset()
                cause = self._boot(cause)
            with self._turn:
                if cause is None:
                    self._on = False
                if cause is not None and self._on:
                    # Somebody may have reset the chip meanwhile.
                    self._process = None if self._ordered else self._begin(cause, raw)
                    self._decided.set()
                    continue
            if self.rom is not None:
                self.rom.off()
            return

    def _boot(self, cause: int) -> int | None:
        """From a reset to the firmware: the cause that it finds; None if the power goes before."""
        if self.rom is None:
            return cause
        if cause == resets.LOADER_ORDERED:
            self.rom.start("software", "download")
        elif cause != resets.LOADER:
            reset = _ROM_RESETS.get(cause, "software")
            self.rom.start(reset)
            if self.rom.serving:
                self._decided.set()
            why = self.rom.wait(lambda: self._on)
            # What boots at once has been reset by what ended the life before.
            return cause if why == reset else _CAUSES.get(why or "")
        return _CAUSES.get(self.rom.wait(lambda: self._on) or "")

    def _cause(self, code: int) -> int | None:
        """Why the next life begins, after a life that ended with `code`; None if none does."""
        if code in (resets.EXIT_SOFT, resets.EXIT_SOFT_RAW):
            return resets.SOFT_RESET
        if code == resets.EXIT_HARD:
            return resets.HARD_RESET
        if code == resets.EXIT_LOADER:
            return resets.LOADER_ORDERED
        if code == resets.EXIT_POWER:
            self._flash_power.spare()
            self._retained.power_on()
            return None
        if code == -resets.WDT_SIGNAL:
            self._remark("the watchdog bites")
            return resets.WDT_RESET
        self._remark(f"interpreter ended with {code}")
        return resets.HARD_RESET if code else None  # a panic counts as one, esp_reset_reason


def _end(process: Process, number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return
        process.kill()
        process.wait()
