"""What a simulated server says of its own load.

Utilisation is processor time spent, not time in which workers were busy: a server whose machine is
taken by a neighbour works slowly at low utilisation, and that is what the figure of real servers
shows, too.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Protocol

from storagebox.balance.outcome import LoadReport

_KEPT = 9
"""Latencies kept for each number of requests in flight."""
_EXACT = 16
"""Above so many in flight, numbers are told apart by eighths of a power of two."""


class Timed(Protocol):
    """A task, as far as its time at the server matters."""

    came_s: float
    in_flight_then: int


class Reporter:
    """Keeps count of what one server does.

    Args:
        capacity: processor seconds a second that it may use.
        window_s: over how long utilisation and rates are averaged.
        now: the beginning.
    """

    def __init__(self, capacity: float, window_s: float, now: float = 0.0) -> None:
        self._capacity = capacity
        self._window_s = window_s
        self._began_s = now
        self._busy_s = 0.0
        self._ended = 0
        self._utilisation: float | None = None
        self._requests_per_s: float | None = None
        self._latencies: dict[int, deque[float]] = {}
        self._medians: dict[int, float] = {}

    def ended(self, task: Timed, busy_s: float, now: float) -> None:
        """A task is done that took so much processor time."""
        self._busy_s += busy_s
        self._ended += 1
        elapsed_s = now - self._began_s
        if elapsed_s >= self._window_s:
            self._utilisation = self._busy_s / (elapsed_s * self._capacity)
            self._requests_per_s = self._ended / elapsed_s
            self._began_s, self._busy_s, self._ended = now, 0.0, 0
        bucket = _bucket(task.in_flight_then)
        kept = self._latencies.get(bucket)
        if kept is None:
            kept = self._latencies[bucket] = deque(maxlen=_KEPT)
        kept.append(now - task.came_s)
        self._medians.pop(bucket, None)

    def report(self, in_flight: int) -> LoadReport:
        """What an answer or a probe is told now."""
        return LoadReport(
            utilisation=self._utilisation,
            requests_per_s=self._requests_per_s,
            errors_per_s=0.0,
            in_flight=in_flight,
            latency_s=self._latency_s(in_flight),
        )

    def _latency_s(self, in_flight: int) -> float | None:
        """The median of those that found about as many as there are now (Prequal, section 4)."""
        if not self._latencies:
            return None
        wanted = _bucket(in_flight)
        bucket = (
            wanted
            if wanted in self._latencies
            else min(self._latencies, key=lambda known: abs(known - wanted))
        )
        known_s = self._medians.get(bucket)
        if known_s is None:
            known_s = self._medians[bucket] = median(self._latencies[bucket])
        return known_s


def _bucket(in_flight: int) -> int:
    if in_flight < _EXACT:
        return in_flight
    power = in_flight.bit_length() - 1
    return _EXACT + 8 * (power - 4) + ((in_flight << 3 >> power) & 7)
