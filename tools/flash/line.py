"""A board's serial line as text, read without disturbing the board, opened again when it goes."""

from __future__ import annotations

import codecs
import contextlib
import time
from types import TracebackType
from typing import Any, Self

from tools.flash import ports
from tools.flash.faults import FlashFault
from tools.flash.process import need

BAUD = 115_200  # MicroPython's console
_AGAIN_SECONDS = 0.3


class Line:
    """The line on `port`. `connected`: whether the port is there now.

    Both modem lines are left as a program finds them on opening: asserted together they reset
    nothing on boards with the usual two transistors.
    """

    def __init__(self, port: str) -> None:
        need("serial")
        self._port = port
        self._serial: Any = None
        self._text = codecs.getincrementaldecoder("utf-8")("replace")

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    @property
    def connected(self) -> bool:
        """Whether the port was there when last looked at."""
        return self._serial is not None

    def read(self, seconds: float) -> str:
        """What has come, waiting at most so long for the first of it. Empty while it is away."""
        import serial

        if self._serial is None:
            time.sleep(min(seconds, _AGAIN_SECONDS))
            with contextlib.suppress(FlashFault):
                self._open()
            return ""
        try:
            self._serial.timeout = seconds
            first = self._serial.read(1)
            return self._text.decode(first + self._serial.read(self._serial.in_waiting))
        except (OSError, serial.SerialException):
            self._close()
            return ""

    def write(self, data: bytes) -> None:
        """Send bytes to the board. Raises FlashFault."""
        import serial

        try:
            self._serial.write(data)
        except (OSError, serial.SerialException) as fault:
            raise FlashFault(f"{self._port}: {fault}: plug the board in again") from None

    def _open(self) -> None:
        import serial

        ports.check(self._port)
        try:
            self._serial = serial.serial_for_url(self._port, baudrate=BAUD, exclusive=True)
        except (OSError, serial.SerialException, ValueError) as fault:
            raise FlashFault(f"{self._port}: {fault}: plug the board in again") from None

    def _close(self) -> None:
        import serial

        if self._serial is not None:
            with contextlib.suppress(OSError, serial.SerialException):
                self._serial.close()
            self._serial = None
