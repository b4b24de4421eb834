"""The time a search may take, and what it left undone for want of it.

Algolia's own figures: a query has 50 ms, of which a tenth may go into finding typos; what is
beyond is approximate and says so in `exhaustive` (OpenAPI description, SearchResponse).

What counts is the processor's time of the search's own thread: a machine that is busy with other
things makes answers late, not poorer. Only a search that is ten times as late as its budget is
long is cut by the clock on the wall, so that it makes none behind it later still.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_TYPOS_SHARE: Final = 10
_LATE: Final = 10

Clock = Callable[[], float]
"""Seconds since whenever."""


class Budget:
    """One search's time, from now on; without `budget_ms` as long as it takes.

    One thread uses it, and `worked` is that thread's clock. typos_cut: words were looked for
    without typos. cut: readings, or rows among which better ones might have been, weren't looked
    at.
    """

    def __init__(
        self,
        budget_ms: float | None,
        worked: Clock = time.thread_time,
        passed: Clock = time.monotonic,
    ) -> None:
        self._worked = worked
        self._passed = passed
        share = float("inf") if budget_ms is None else budget_ms / 1000
        now = worked()
        self._until = now + share
        self._typos_until = now + share / _TYPOS_SHARE
        self._late_from = passed() + share * _LATE
        self.typos_cut = False
        self.cut = False

    def has_time(self) -> bool:
        """Whether there is time left; remembers that there was none."""
        if self._worked() > self._until or self._passed() > self._late_from:
            self.cut = True
        return not self.cut

    def has_time_for_typos(self) -> bool:
        """Whether there is time left for typos; remembers that there was none."""
        if self._worked() > self._typos_until or self._passed() > self._late_from:
            self.typos_cut = True
        return not self.typos_cut
