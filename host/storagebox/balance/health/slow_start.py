"""Slow start: a server that has just come gets its load bit by bit.

Caches are cold, connections have to be made, code may have to be compiled. The growth is Envoy's:

    share = max(10 %, t^(1/aggression)),  t = max(elapsed, 1 s) / window

(Envoy, `slow_start.rst`). It never applies to the first membership: a client that starts knows
nobody for longer than anybody else, and HAProxy doesn't at its start either.
"""

from dataclasses import dataclass
from math import inf

STEPS = 20
"""The share grows in so many steps, for each makes a new picker."""


@dataclass(frozen=True, slots=True)
class SlowStart:
    """How a server's weight grows.

    Args:
        window_s: how long it takes; 0 gives all at once. 10 s, shorter than HAProxy's 20 s and
            Envoy's example of 60 s: with three servers the two others carry what the third is
            spared.
        aggression: 1 grows evenly, 2 faster at first.
        least: share of the weight at the start.
    """

    window_s: float = 10.0
    aggression: float = 1.0
    least: float = 0.1

    def __post_init__(self) -> None:
        if not (self.window_s >= 0 and self.aggression > 0 and 0 < self.least <= 1):
            raise ValueError(
                "slow start: window_s is 0 or more, aggression more than 0, least within (0, 1]"
            )

    def share(self, since_s: float, now: float) -> tuple[float, float]:
        """The share of its weight for a server well since `since_s`, and when that grows next."""
        if now - since_s >= self.window_s:
            return 1.0, inf
        step_s = self.window_s / STEPS
        step = int((now - since_s) / step_s)
        elapsed_s = max(step * step_s, min(1.0, self.window_s))
        share = (elapsed_s / self.window_s) ** (1 / self.aggression)
        return min(1.0, max(self.least, share)), since_s + (step + 1) * step_s
