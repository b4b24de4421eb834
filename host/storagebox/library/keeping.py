"""When the next pass over the music folder is due, and what is told of each.

Folders are looked at again and again rather than watched: that sees changes on network disks,
too, and takes no handle for each of ten thousand folders. The larger the library the less often,
so that it never takes more than a fiftieth of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from storagebox.library.shelf import Shelf
from storagebox.library.updating import NoMusic, Outcome, Stopped, Updating
from storagebox.search.writes.refused import Refused

MIN_PAUSE_S: Final = 5.0
MAX_PAUSE_S: Final = 600.0
# A pass takes so many parts less time than the pause behind it.
_PAUSES: Final = 50

Tell = Callable[..., object]


class Wait(Protocol):
    """Waits so many seconds; True if it is time to end."""

    def __call__(self, seconds: float, /) -> bool: ...


class Keeping:
    """Passes, one after another, until `wait` says that it is time to end."""

    def __init__(self, shelf: Shelf, updating: Updating, wait: Wait, tell: Tell) -> None:
        self._shelf = shelf
        self._updating = updating
        self._wait = wait
        self._tell = tell
        self._trouble = ""
        self._told: dict[str, Any] | None = None

    def run(self) -> None:
        """Keep the library like the folder, whatever happens to that."""
        while True:
            began_s = time.monotonic()
            try:
                self._passed(self._updating.update(), began_s)
            except Stopped:
                return
            except NoMusic as fault:
                self._troubled(str(fault))
            except Refused as fault:
                self._troubled(f"nothing can be kept now: {fault.message}")
            took_s = time.monotonic() - began_s
            if self._wait(min(max(MIN_PAUSE_S, _PAUSES * took_s), MAX_PAUSE_S)):
                return

    def _passed(self, outcome: Outcome, began_s: float) -> None:
        news: dict[str, Any] = {
            **self._shelf.counts(),
            "new": outcome.new,
            "changed": outcome.changed,
            "gone": outcome.gone,
        }
        if outcome.unreadable:
            news["unreadable"] = outcome.unreadable[:10]
        self._trouble = ""
        if news == self._told:
            return
        self._tell("library.read", **news, took_s=round(time.monotonic() - began_s, 1))
        self._told = {**news, "new": 0, "changed": 0, "gone": 0}

    def _troubled(self, reason: str) -> None:
        if reason != self._trouble:
            self._tell("library.waits", reason=reason)
        self._trouble = reason
        self._told = None
