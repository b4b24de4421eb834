"""The time a search may take, and what it left undone for want of it.

Algolia's own figures: a query has 50 ms, of which a tenth may go into finding typos; what is
beyond is approximate and says so in `exhaustive` (OpenAPI description, SearchResponse).
"""

from __future__ import annotations

import time
from typing import Final

_TYPOS_SHARE: Final = 10


class Budget:
    """One search's time, from now on; without `budget_ms` as long as it takes.

    typos_cut: words were looked for without typos. cut: readings, or rows among which better ones
    might have been, weren't looked at.
    """

    def __init__(self, budget_ms: float | None) -> None:
        now = time.monotonic()
        share = float("inf") if budget_ms is None else budget_ms / 1000
        self.deadline: Final = now + share
        self._typos_until = now + share / _TYPOS_SHARE
        self.typos_cut = False
        self.cut = False

    def has_time(self) -> bool:
        """Whether there is time left; remembers that there was none."""
        if time.monotonic() > self.deadline:
            self.cut = True
        return not self.cut

    def has_time_for_typos(self) -> bool:
        """Whether there is time left for typos; remembers that there was none."""
        if time.monotonic() > self._typos_until:
            self.typos_cut = True
        return not self.typos_cut
