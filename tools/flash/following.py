"""A board's serial output as it comes, through resets and unplugging."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from tools.flash.line import Line


def follow(port: str, seconds: float | None, out: TextIO | None = None) -> None:
    """Write what the board on `port` says to `out` until the time is over, or for ever.

    Raises FlashFault if the port can't be opened to begin with.
    """
    to = out or sys.stdout
    end = None if seconds is None else time.monotonic() + seconds
    away = False
    with Line(port) as line:
        while end is None or time.monotonic() < end:
            wait = 0.5 if end is None else min(0.5, max(0.0, end - time.monotonic()))
            text = line.read(wait)
            if away != (not line.connected):
                away = not away
                news = "is gone; it is followed again once it is back" if away else "is back"
                print(f"phantom: {port} {news}", file=sys.stderr, flush=True)
            to.write(text.replace("\r\n", "\n"))
            to.flush()
