"""How often somebody may ask: a bucket an application, an hour's count a key and asker."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

_HOUR_S: Final = 3600
# Askers remembered; beyond that, whoever was longest away is forgotten.
_MAX_ASKERS: Final = 100_000


class Bucket:
    """A token bucket: `rate` tokens a second (0 for no limit), `burst` at once.

    Any thread may take.
    """

    def __init__(self, rate: float, burst: float | None = None) -> None:
        self.rate = rate
        self._lock = threading.Lock()
        self.burst = max(burst if burst is not None else rate, 1.0)
        self._tokens = self.burst
        self._at_s = 0.0

    def take(self, now_s: float, tokens: float = 1.0) -> float:
        """Take tokens; returns 0, or in how many seconds there are enough if there aren't now.

        `now_s` is any clock that doesn't go back. More than a whole bucket has to wait for a full
        one only.
        """
        if not self.rate:
            return 0.0
        with self._lock:
            gained = max(0.0, now_s - self._at_s) * self.rate
            self._tokens = min(self.burst, self._tokens + gained)
            self._at_s = max(self._at_s, now_s)
            needed = min(tokens, self.burst)
            if self._tokens >= needed:
                self._tokens -= tokens
                return 0.0
            return (needed - self._tokens) / self.rate


class HourlyCounts:
    """How many calls were made within the last hour, by whom.

    A sliding window over two buckets: this hour's count and, by the part of the window that lies
    in it, the one's before.
    """

    def __init__(self, max_askers: int = _MAX_ASKERS) -> None:
        self._max = max_askers
        self._counts: OrderedDict[tuple[str, str], tuple[int, int, int]] = OrderedDict()

    def count(self, asker: tuple[str, str], limit: int, now_s: float) -> bool:
        """Count a call; False, and not counted, if it is over `limit`."""
        hour, within_s = divmod(now_s, _HOUR_S)
        at, current, before = self._counts.get(asker, (int(hour), 0, 0))
        if at != hour:
            before = current if at == hour - 1 else 0
            current = 0
        if current + before * (1 - within_s / _HOUR_S) >= limit:
            return False
        self._counts[asker] = int(hour), current + 1, before
        self._counts.move_to_end(asker)
        if len(self._counts) > self._max:
            self._counts.popitem(last=False)
        return True
