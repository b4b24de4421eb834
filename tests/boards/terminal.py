"""A program at a board's serial port: sends, and waits for what comes."""

from __future__ import annotations

import time

import serial

PATIENCE_S = 10.0  # for what takes milliseconds

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
PROMPT = b"\r\n>>> "
RAW_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
SOFT_REBOOT = b"MPY: soft reboot\r\n"


class Terminal:
    """The port `path`, opened; closes with its block."""

    def __init__(self, path: str) -> None:
        self._port = serial.Serial(path, timeout=0.02)
        self._kept = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._port.close()

    def send(self, data: bytes) -> None:
        self._port.write(data)

    def expect(self, ending: bytes) -> bytes:
        """What comes up to and with `ending`."""
        end = time.monotonic() + PATIENCE_S
        while ending not in self._kept:
            assert time.monotonic() < end, f"{ending!r} never came, but {self._kept!r}"
            self._kept += self._port.read(4096)
        at = self._kept.index(ending) + len(ending)
        came, self._kept = self._kept[:at], self._kept[at:]
        return came

    def quiet(self, seconds: float = 0.1) -> bytes:
        """What else comes within some time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._kept += self._port.read(4096)
        came, self._kept = self._kept, b""
        return came

    def ask(self, text: bytes, answer: bytes) -> bytes:
        """Send, and wait for what is to come."""
        self.send(text)
        return self.expect(answer)

    def to_prompt(self) -> None:
        """Interrupt whatever runs; the friendly prompt comes."""
        self.send(b"\r" + CTRL_C)
        self.expect(PROMPT)
        self.quiet(0.05)

    def to_raw(self) -> None:
        """Into the raw REPL, as mpremote does it."""
        self.send(b"\r" + CTRL_C)
        self.quiet(0.05)
        self.ask(b"\r" + CTRL_A, RAW_BANNER)

    def raw(self, code: bytes) -> bytes:
        """What code answers in the raw REPL: output, \\x04, traceback, \\x04."""
        answer = self.ask(code + CTRL_D, CTRL_D + b">") if b"\x04" not in code else b""
        assert answer.startswith(b"OK"), answer
        return answer[2:-1]
