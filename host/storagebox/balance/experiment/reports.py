"""What a simulated server says of its own load.

Utilisation is processor time spent, not time in which workers were busy: a server whose machine is
taken by a neighbour works slowly at low utilisation, and that is what the figure of real servers
shows, too.
"""

from __future__ import annotations

from typing import Protocol

from storagebox.balance.outcome import LoadReport
from storagebox.balance.reporting.latency_by_load import LatencyByLoad


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
        self._latency = LatencyByLoad()

    def ended(self, task: Timed, busy_s: float, now: float) -> None:
        """A task is done that took so much processor time."""
        self._busy_s += busy_s
        self._ended += 1
        elapsed_s = now - self._began_s
        if elapsed_s >= self._window_s:
            self._utilisation = self._busy_s / (elapsed_s * self._capacity)
            self._requests_per_s = self._ended / elapsed_s
            self._began_s, self._busy_s, self._ended = now, 0.0, 0
        self._latency.add(task.in_flight_then, now - task.came_s)

    def report(self, in_flight: int) -> LoadReport:
        """What an answer or a probe is told now."""
        return LoadReport(
            utilisation=self._utilisation,
            requests_per_s=self._requests_per_s,
            errors_per_s=0.0,
            in_flight=in_flight,
            latency_s=self._latency.now_s(in_flight),
        )
