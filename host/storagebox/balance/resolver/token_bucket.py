"""How often a registry may be asked, whatever it answers."""

from math import inf


class TokenBucket:
    """`burst` calls at once, then one each `every_s`.

    A fixed pause after each call would delay the common case, one change after a long silence.
    """

    def __init__(self, burst: int, every_s: float) -> None:
        self._burst = burst
        self._every_s = every_s
        self._tokens = float(burst)
        self._filled_s = -inf

    def wait_s(self, now: float) -> float:
        """Take one; how long to wait before the call."""
        if self._every_s <= 0:
            return 0.0
        if now > self._filled_s:
            gained = (now - self._filled_s) / self._every_s
            self._tokens = min(float(self._burst), self._tokens + gained)
            self._filled_s = now
        self._tokens -= 1
        return max(0.0, -self._tokens * self._every_s)
