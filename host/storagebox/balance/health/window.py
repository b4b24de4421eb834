"""Requests of the last while, counted exactly.

Buckets and not an average that decays: in such an average a burst of failures weighs almost
nothing a sample, and can hide a total outage (linkerd2-proxy, breaker/success_rate.rs).
"""

BUCKETS = 10


class Window:
    """How many requests ended within the last `length_s`, and how many of them failed."""

    __slots__ = ("_at", "_ended", "_failed", "_width_s", "ended", "failed")

    def __init__(self, length_s: float) -> None:
        self._width_s = length_s / BUCKETS
        self._ended = [0] * BUCKETS
        self._failed = [0] * BUCKETS
        self._at: int | None = None
        self.ended = 0
        self.failed = 0

    def add(self, failed: bool, now: float) -> None:
        """One request has ended."""
        at = int(now // self._width_s)
        if at != self._at:
            self._advance(at)
        self._ended[at % BUCKETS] += 1
        self.ended += 1
        if failed:
            self._failed[at % BUCKETS] += 1
            self.failed += 1

    def without(self, part: "Window") -> None:
        """Forget requests that another window counts, too: of the same length, and of no more."""
        if self._at is None or part._at is None:
            return
        for at in range(max(part._at, self._at) - BUCKETS + 1, part._at + 1):
            i = at % BUCKETS
            self._ended[i] -= part._ended[i]
            self._failed[i] -= part._failed[i]
            self.ended -= part._ended[i]
            self.failed -= part._failed[i]

    def _advance(self, at: int) -> None:
        since = BUCKETS if self._at is None else min(BUCKETS, at - self._at)
        for old in range(at - since + 1, at + 1):
            self.ended -= self._ended[old % BUCKETS]
            self.failed -= self._failed[old % BUCKETS]
            self._ended[old % BUCKETS] = self._failed[old % BUCKETS] = 0
        self._at = at
