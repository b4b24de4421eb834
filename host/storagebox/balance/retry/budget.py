"""A budget for retries: a share of the requests, so that retries can't drown who already suffers.

After Finagle's `RetryBudget` and tower's `TpsBudget`: every request deposits, every retry
withdraws, deposits expire. A minimum rate lets a quiet client retry, too.
"""

import threading
from collections import deque

_SLOTS = 10
_RETRY = 1_000_000  # what one costs: whole numbers, so that shares add up


class Budget:
    """Retries are at most `ratio` of the requests of the last `ttl_s`, and `min_per_s` besides.

    Args:
        ratio: retries a request, 0 to 1. Finagle's default of 0.2 is kept.
        min_per_s: retries a second that are always allowed.
        ttl_s: how long a request counts, 1 to 60 s.

    May be shared by any number of transports and threads.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(self, ratio: float = 0.2, min_per_s: float = 10.0, ttl_s: float = 10.0) -> None:
        if not 0 <= ratio <= 1:
            raise ValueError(f"budget: ratio {ratio} is not within 0 to 1")
        if not 0 <= min_per_s < 1e9:
            raise ValueError(f"budget: min_per_s {min_per_s} is not within 0 to 1e9")
        if not 1 <= ttl_s <= 60:
            raise ValueError(f"budget: ttl_s {ttl_s} is not within 1 to 60")
        self._deposit = round(ratio * _RETRY)
        self._reserve = round(min_per_s * ttl_s * _RETRY)
        self._slot_s = ttl_s / _SLOTS
        self._slots: deque[int] = deque([0] * _SLOTS, maxlen=_SLOTS)
        self._sum = 0
        self._slot_began_s: float | None = None
        self._lock = threading.Lock()

    def deposit(self, now: float) -> None:
        """A request is sent for the first time."""
        with self._lock:
            self._turn(now)
            self._slots[-1] += self._deposit
            self._sum += self._deposit

    def withdraw(self, now: float) -> bool:
        """A request would be sent once more: whether it may."""
        with self._lock:
            self._turn(now)
            if self._reserve + self._sum < _RETRY:
                return False
            self._slots[-1] -= _RETRY
            self._sum -= _RETRY
            return True

    def balance(self, now: float) -> float:
        """How many retries there is money for."""
        with self._lock:
            self._turn(now)
            return (self._reserve + self._sum) / _RETRY

    def _turn(self, now: float) -> None:
        """Let the slots expire whose time is over."""
        began_s = self._slot_began_s
        if began_s is None:
            self._slot_began_s = now
            return
        if now - began_s < self._slot_s:
            return  # and if the clock went back, nothing expires
        passed = int((now - began_s) / self._slot_s)
        self._slot_began_s = began_s + passed * self._slot_s
        for _ in range(min(passed, _SLOTS)):
            self._sum -= self._slots[0]
            self._slots.append(0)
