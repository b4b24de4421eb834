"""How long a request takes a server that holds as many as now.

Prequal (section 4) has a server answer probes with the median latency of recent requests that
found about as many in flight as there are now. An average over all of them would tell a server
that has just been flooded that it is still fast.
"""

from collections import deque
from statistics import median

_KEPT = 9
"""Latencies kept for each number of requests in flight."""
_EXACT = 16
"""Above so many in flight, numbers are told apart by eighths of a power of two."""


class LatencyByLoad:
    """Medians of latencies, apart by how many requests were in flight."""

    def __init__(self) -> None:
        self._latencies: dict[int, deque[float]] = {}
        self._medians: dict[int, float] = {}

    def add(self, in_flight: int, latency_s: float) -> None:
        """A request took so long that found so many others when it came."""
        bucket = _bucket(in_flight)
        kept = self._latencies.get(bucket)
        if kept is None:
            kept = self._latencies[bucket] = deque(maxlen=_KEPT)
        kept.append(latency_s)
        self._medians.pop(bucket, None)

    def now_s(self, in_flight: int) -> float | None:
        """What a request that finds so many would take; `None` if nothing is known yet."""
        if not self._latencies:
            return None
        bucket = _bucket(in_flight)
        if bucket not in self._latencies:
            bucket = min(self._latencies, key=lambda known: abs(known - bucket))
        known_s = self._medians.get(bucket)
        if known_s is None:
            known_s = self._medians[bucket] = median(self._latencies[bucket])
        return known_s


def _bucket(in_flight: int) -> int:
    if in_flight < _EXACT:
        return in_flight
    power = in_flight.bit_length() - 1
    return _EXACT + 8 * (power - 4) + ((in_flight << 3 >> power) & 7)
