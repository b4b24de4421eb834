"""How much of the machine may be taken by what is in no hurry."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# Of one core; music, and whoever searches, need the rest more.
SHARE: Final = 0.5
_PIECE_S: Final = 0.02


class Pace:
    """`rest` after each small piece of work, and the process takes `share` of a core at most.

    `pause` waits so many seconds, or less where there is no more to do. `worked` tells the CPU
    time that the process has taken, in seconds.
    """

    def __init__(
        self,
        pause: Callable[[float], object],
        share: float = SHARE,
        worked: Callable[[], float] = time.process_time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pause = pause
        self._share = share
        self._worked = worked
        self._now = now
        self._since = worked(), now()

    def rest(self) -> None:
        """Wait until what was worked since the last rest is the share of the time since."""
        worked_s, now_s = self._worked(), self._now()
        done_s = worked_s - self._since[0]
        if done_s < _PIECE_S:
            return
        due_s = self._since[1] + done_s / self._share - now_s
        if due_s > 0:
            self._pause(due_s)
        self._since = self._worked(), self._now()
