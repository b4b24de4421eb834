"""What the box tells whoever runs it: one line an event on stderr, and the latest for `status`.

A line is `key=value` pairs, values quoted as JSON where they are not plain words, so that a person
reads it and `grep` finds it:

    2026-08-01T12:00:00.123+02:00 link.up device=kitchen address=127.77.0.11
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections import deque
from datetime import datetime
from typing import Any, TextIO

# Events kept for `status`: a screenful or two.
KEPT = 64
_PLAIN = re.compile(r"[\w.:/+-]+")
# A hostile peer can cause events, but not long ones.
_MAX_VALUE_CHARS = 200


class Journal:
    """Collects events. `stream` None keeps them without writing lines."""

    def __init__(self, stream: TextIO | None = sys.stderr) -> None:
        self._stream = stream
        self._count = 0
        self.latest: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def emit(self, event: str, **fields: Any) -> None:
        """Note that `event` (a dotted name) happened. Fields must be plain JSON values."""
        self._count += 1
        self.latest.append({"number": self._count, "event": event, **fields})
        if self._stream is None:
            return
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        pairs = " ".join(f"{key}={_show(value)}" for key, value in fields.items())
        print(f"{now} {event} {pairs}".rstrip(), file=self._stream, flush=True)

    def fault(self, where: str, error: BaseException) -> None:
        """Note a fault of our own, with its traceback on the stream."""
        self.emit("fault", where=where, error=f"{type(error).__name__}: {error}")
        if self._stream is not None:
            traceback.print_exception(error, file=self._stream)


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > _MAX_VALUE_CHARS:
        text = text[:_MAX_VALUE_CHARS] + "…"
    return text if _PLAIN.fullmatch(text) or not isinstance(value, str) else json.dumps(text)
