"""What happens when: a heap of things to do, in the order of their times."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any


class Agenda:
    """Simulated time. Of two things at one time, the one that was entered first is done first."""

    __slots__ = ("_entered", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[float, Any], None], Any]] = []
        self._entered = 0

    def at(self, time_s: float, act: Callable[[float, Any], None], subject: Any) -> None:
        """Call `act(time_s, subject)` then. What is to happen at `inf` never does."""
        if time_s < inf:
            self._entered += 1
            heappush(self._heap, (time_s, self._entered, act, subject))

    def run_until(self, time_s: float) -> None:
        """Do whatever is due before or at `time_s`, and what comes of it."""
        heap = self._heap
        while heap and heap[0][0] <= time_s:
            now, _, act, subject = heappop(heap)
            act(now, subject)
