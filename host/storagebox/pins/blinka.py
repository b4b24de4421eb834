"""Pins by Adafruit Blinka, which knows the boards: Raspberry Pis, and a hundred others.

The only module that imports Blinka, and it does so when pins are opened: it is the extra `pi`, its
import takes a second on a small machine, and it looks at the hardware while it is imported. Blinka
has no interrupts for inputs; they are read, again and again.
"""

from __future__ import annotations

import errno
import importlib
import os
from contextlib import suppress
from typing import Any

from .gpio import GpioError

_INSTALL = "install the extra `pi`: pip install 'phantom-multiroom[pi]'"
# Else Blinka, imported on a terminal, offers to run pip in whatever environment it finds itself.
_NO_PIP = "BLINKA_SKIP_DEPENDENCY_CHECK"
# Names of a board's pins that an error lists, at most.
_LISTED = 8


class BlinkaGpio:
    """The pins of the machine that this runs on. Raises GpioError if Blinka does not know it."""

    def __init__(self) -> None:
        os.environ.setdefault(_NO_PIP, "1")
        try:
            self._board: Any = importlib.import_module("board")
            self._io: Any = importlib.import_module("digitalio")
        except ModuleNotFoundError as fault:
            raise GpioError(f"buttons and lights: {fault.name} is missing: {_INSTALL}") from None
        # What a board's definition raises is anybody's guess: RuntimeError, NotImplementedError…
        except Exception as fault:
            if "gpiod" in str(fault):
                raise GpioError(f"buttons and lights: gpiod is missing: {_INSTALL}") from None
            raise GpioError(
                f"buttons and lights: Blinka can't use this machine ({_line(fault)}): "
                "run the box on a Raspberry Pi, or without --pins"
            ) from None
        self._taken: list[Any] = []

    @property
    def board(self) -> str:
        """What Blinka calls this machine."""
        return str(self._board.board_id)

    def input(self, pin: str, pull: str) -> _Input:
        """See `gpio.Gpio`."""
        pulls = {"up": self._io.Pull.UP, "down": self._io.Pull.DOWN, "none": None}
        line = self._take(pin)
        try:
            line.switch_to_input(pull=pulls[pull])
        except Exception as fault:
            raise _fault(pin, fault) from None
        return _Input(pin, line)

    def output(self, pin: str, high: bool) -> _Output:
        """See `gpio.Gpio`."""
        line = self._take(pin)
        try:
            line.switch_to_output(value=high)
        except Exception as fault:
            raise _fault(pin, fault) from None
        return _Output(pin, line)

    def close(self) -> None:
        """See `gpio.Gpio`."""
        for line in self._taken:
            with suppress(Exception):
                line.deinit()
        self._taken.clear()

    def _take(self, pin: str) -> Any:
        found = getattr(self._board, pin, None)
        if getattr(found, "id", None) is None:
            raise GpioError(f"pin {pin}: {self.board} has none of this name{self._others()}")
        try:
            line = self._io.DigitalInOut(found)
        except Exception as fault:
            raise _fault(pin, fault) from None
        self._taken.append(line)
        return line

    def _others(self) -> str:
        named = [
            name
            for name in dir(self._board)
            if name.startswith("D") and getattr(getattr(self._board, name), "id", None) is not None
        ]
        if not named:
            return ", nor any other that Blinka knows: is this a Raspberry Pi?"
        listed = ", ".join(named[:_LISTED])
        return f": it has {listed}{', …' if len(named) > _LISTED else ''}"


class _Input:
    def __init__(self, pin: str, line: Any) -> None:
        self._pin = pin
        self._line = line

    def read(self) -> bool:
        try:
            return bool(self._line.value)
        except Exception as fault:
            raise _fault(self._pin, fault) from None


class _Output:
    def __init__(self, pin: str, line: Any) -> None:
        self._pin = pin
        self._line = line

    def write(self, high: bool) -> None:
        # Never read back: what Blinka tells of an output is not what it drives on every board.
        try:
            self._line.value = high
        except Exception as fault:
            raise _fault(self._pin, fault) from None


def _fault(pin: str, fault: Exception) -> GpioError:
    if isinstance(fault, PermissionError):
        return GpioError(
            f"pin {pin}: this user may not use GPIO: add it to the group gpio, then log in anew: "
            "sudo usermod -aG gpio USER"
        )
    if isinstance(fault, OSError) and fault.errno == errno.EBUSY:
        return GpioError(
            f"pin {pin}: another program has it: stop that, or a box that runs with --pins"
        )
    if "No Raspberry Pi header GPIO controller" in str(fault):
        return GpioError(
            f"pin {pin}: this machine has no GPIO chip of a Raspberry Pi (/dev/gpiochip*): "
            "is it one, and not in a container?"
        )
    return GpioError(f"pin {pin}: {_line(fault)}")


def _line(fault: Exception) -> str:
    words = " ".join(str(fault).split())
    return (words[:160] + "…" if len(words) > 160 else words) or type(fault).__name__
