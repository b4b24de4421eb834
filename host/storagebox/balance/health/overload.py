"""Overload: a server that says "not now" lives, and gets less until it stops saying so.

Each such answer (429; 503 with Retry-After) halves its share of the weight, down to a sixteenth;
a second without one doubles it. Answers to requests that were sent before the last halving
change nothing, as with TCP: a burst turned away is one event. It never ejects: a whole cluster
that sheds load would otherwise eject itself.
"""

from dataclasses import dataclass
from math import inf

HALVINGS = 4


@dataclass(slots=True)
class Pressure:
    """How much of its weight a server has lost."""

    halvings: int = 0
    halved_s: float = -inf
    spared_until_s: float = -inf
    """It doesn't grow before this, as the server asked for."""


@dataclass(frozen=True, slots=True)
class Overload:
    """How to give less to who asks for less.

    Args:
        recovery_s: each halving is taken back after so long without another.
        max_retry_after_s: a server isn't spared for longer than this, whatever it says.
    """

    recovery_s: float = 1.0
    max_retry_after_s: float = 30.0

    def turned_away(
        self, pressure: Pressure, began_s: float, now: float, retry_after_s: float | None
    ) -> bool:
        """It said "not now" to a request that began at `began_s`. True if its share changed."""
        left = self._left(pressure, now)
        if retry_after_s is not None and retry_after_s > 0:
            spared_s = min(retry_after_s, self.max_retry_after_s)
            pressure.spared_until_s = max(pressure.spared_until_s, now + spared_s)
        if began_s < pressure.halved_s:
            return False
        pressure.halvings = min(HALVINGS, left + 1)
        pressure.halved_s = now
        return True

    def share(self, pressure: Pressure, now: float) -> tuple[float, float]:
        """The share of its weight, and when that grows next."""
        left = self._left(pressure, now)
        if left == 0:
            return 1.0, inf
        calm_s = max(pressure.halved_s, pressure.spared_until_s)
        return 0.5**left, calm_s + (pressure.halvings - left + 1) * self.recovery_s

    def _left(self, pressure: Pressure, now: float) -> int:
        if pressure.halvings == 0:
            return 0
        calm_s = now - max(pressure.halved_s, pressure.spared_until_s)
        return max(0, pressure.halvings - max(0, int(calm_s / self.recovery_s)))
