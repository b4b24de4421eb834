"""How far records are on their way: a line that is written over, or now and then one in a log."""

from __future__ import annotations

import sys
import time
from typing import Final, TextIO

_LIVE_S: Final = 0.2
_LOG_S: Final = 10.0
_SHOWN: Final = 20  # faults; the rest are counted


class TransferProgress:
    """On stderr; stdout is for records. `total` is how many bytes there are, if known."""

    def __init__(self, what: str, total: int | None = None, out: TextIO | None = None) -> None:
        self.rows = 0
        self._what = what
        self._total = total
        self._bytes = 0
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._began_s = self._said_s = time.monotonic()
        self._faults = 0

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began_s

    def read(self, count: int) -> None:
        """So many more bytes of the input."""
        self._bytes += count

    def count(self, rows: int) -> None:
        """So many rows by now."""
        self.rows = rows
        now_s = time.monotonic()
        if now_s - self._said_s < (_LIVE_S if self._live else _LOG_S):
            return
        self._said_s = now_s
        line = f"{self._what}: {self._line()}"
        self._out.write(f"\r\x1b[K{line}" if self._live else f"{line}\n")
        self._out.flush()

    def fault(self, text: str) -> None:
        """Say what is wrong with a row."""
        self._faults += 1
        if self._faults <= _SHOWN:
            self._say(f"phantom: {text}")
        elif self._faults == _SHOWN + 1:
            self._say("phantom: more rows are bad: they are counted, not shown")

    def end(self) -> None:
        """Take the line away."""
        if self._live:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def _say(self, text: str) -> None:
        self._out.write(f"\r\x1b[K{text}\n" if self._live else f"{text}\n")

    def _line(self) -> str:
        parts = [f"{self.rows:,} rows", f"{self.rows / max(self.seconds, 0.001):,.0f}/s"]
        if self._total:
            parts.append(f"{min(100, 100 * self._bytes // self._total)} %")
        if self._faults:
            parts.append(f"{self._faults:,} bad")
        return ", ".join(parts)
