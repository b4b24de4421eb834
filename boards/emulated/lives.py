"""The lives of an emulated chip: from power-on to power-off, one interpreter after another."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable

from boards.emulated.flash_power import FlashPower
from boards.emulated.retained import Retained
from boards.emulated.stubs import resets

# The process ends within this after SIGTERM, or it is killed.
STOP_SECONDS = 2.0

Process = subprocess.Popen[bytes]
# Starts the interpreter: why the chip was reset, whether the REPL comes up raw.
Begin = Callable[[int, bool], Process]
Remark = Callable[[str], None]


class Lives:
    """One chip's. `begin` starts an interpreter; `remark` takes a line for the log."""

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
        """Begin the first life, unless the chip has power."""
        if self._on:
            return
        self._on = True
        self._process = self._begin(resets.PWRON_RESET, False)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

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
            if not self._on or self._process is None:
                return
            self._ordered = cause
            self._process.kill()

    def _watch(self) -> None:
        # A board that resets comes up again; one that crashes too, as its watchdog would see to.
        while True:
            process = self._process
            if process is None:
                return
            code = process.wait()
            with self._turn:
                if not self._on:
                    return
                cause, self._ordered = self._ordered or self._cause(code), None
                if cause is None:
                    self._on = False
                    return
                if cause != resets.SOFT_RESET:
                    self._retained.reset()
                self._process = self._begin(cause, code == resets.EXIT_SOFT_RAW)

    def _cause(self, code: int) -> int | None:
        """Why the next life begins, after a life that ended with `code`; None if none does."""
        if code in (resets.EXIT_SOFT, resets.EXIT_SOFT_RAW):
            return resets.SOFT_RESET
        if code == resets.EXIT_HARD:
            return resets.HARD_RESET
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
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
