"""When the next pass over the music folder is due, and what is told of each.

Folders are looked at again and again rather than watched: that sees changes on network disks,
too, and takes no handle for each of ten thousand folders. Whether files have come or gone shows in
their folders' times, which are looked at every few seconds. That a file was tagged anew shows only
in its own; all files are looked at the more seldom the larger the library is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from storagebox.library.shelf import Shelf
from storagebox.library.updating import NoMusic, Outcome, Stopped, Updating
from storagebox.search.writes.refused import Refused

LOOK_S: Final = 5.0  # between looks at folders
MAX_PAUSE_S: Final = 600.0
# Passes are so many times further apart than one takes: if files have come or gone, and if not.
_STIRRED: Final = 10
_QUIET: Final = 50

Tell = Callable[..., object]


class Wait(Protocol):
    """Waits so many seconds; True if it is time to end."""

    def __call__(self, seconds: float, /) -> bool: ...


class Keeping:
    """Passes, one after another, until `wait` says that it is time to end."""

    def __init__(
        self,
        shelf: Shelf,
        updating: Updating,
        wait: Wait,
        tell: Tell,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` tells seconds; `tell` is called with an event's name and its fields."""
        self._shelf = shelf
        self._updating = updating
        self._wait = wait
        self._tell = tell
        self._now = now
        self._trouble = ""
        self._told: dict[str, Any] | None = None

    def run(self) -> None:
        """Keep the library like the folder, whatever happens to that."""
        try:
            while True:
                began_s = self._now()
                try:
                    self._passed(self._updating.update(), began_s)
                except NoMusic as fault:
                    self._troubled(str(fault))
                except Refused as fault:
                    self._troubled(f"nothing can be kept now: {fault.message}")
                if self._ended_before_next(self._now() - began_s):
                    return
        except Stopped:
            return

    def _ended_before_next(self, took_s: float) -> bool:
        """Wait until the next pass is due, after one that took so long; True if it is over."""
        began_s = self._now()
        due_s = began_s + min(_QUIET * took_s, MAX_PAUSE_S)
        soonest_s = began_s + min(_STIRRED * took_s, MAX_PAUSE_S)
        while True:
            if self._wait(LOOK_S):
                return True
            now_s = self._now()
            if now_s >= due_s or (now_s >= soonest_s and self._updating.stirred()):
                return False

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
        self._tell("library.read", **news, took_s=round(self._now() - began_s, 1))
        self._told = {**news, "new": 0, "changed": 0, "gone": 0}

    def _troubled(self, reason: str) -> None:
        if reason != self._trouble:
            self._tell("library.waits", reason=reason)
        self._trouble = reason
        self._told = None
