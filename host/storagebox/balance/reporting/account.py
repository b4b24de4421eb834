"""What a server counts to be able to tell its load. No clock and no sockets here."""

import threading
from dataclasses import dataclass

from storagebox.balance.outcome import LoadReport
from storagebox.balance.reporting.latency_by_load import LatencyByLoad


@dataclass(frozen=True, slots=True)
class Served:
    """A request that a server is at."""

    came_s: float
    in_flight: int
    """How many others it found."""


class Account:
    """Keeps count of what one server does.

    Args:
        processors: how many it may use, to make processor time a utilisation.
        window_s: over how long utilisation and rates are averaged.
        now, cpu_s: the beginning, and the process's processor time then.

    Utilisation is of processor time and not of time in which somebody was served: where a
    neighbour takes the machine, a server is slow at low utilisation, which its requests in flight
    then tell.
    """

    def __init__(self, processors: float, window_s: float, now: float, cpu_s: float) -> None:
        self._processors = processors
        self._window_s = window_s
        self._began_s, self._cpu_s = now, cpu_s
        self._ended = self._failed = 0
        self._rates: tuple[float, float, float] | None = None
        self._latency = LatencyByLoad()
        self._in_flight = 0
        self._lock = threading.Lock()

    def began(self, now: float) -> Served:
        """A request has come."""
        with self._lock:
            served = Served(now, self._in_flight)
            self._in_flight += 1
            return served

    def ended(self, served: Served, now: float, cpu_s: float, *, failed: bool) -> None:
        """It has been answered, to the last byte, or has failed."""
        with self._lock:
            self._in_flight -= 1
            self._ended += 1
            self._failed += failed
            if not failed:  # an error comes fast and says nothing of how long work takes
                self._latency.add(served.in_flight, now - served.came_s)
            elapsed_s = now - self._began_s
            if elapsed_s >= self._window_s:
                used = (cpu_s - self._cpu_s) / (elapsed_s * self._processors)
                self._rates = (used, self._ended / elapsed_s, self._failed / elapsed_s)
                self._began_s, self._cpu_s, self._ended, self._failed = now, cpu_s, 0, 0

    def report(self, answered: int = 0) -> LoadReport:
        """What is told now: to a probe, or with the answer to `answered` requests of those that
        are in flight, which then count no longer."""
        with self._lock:
            in_flight = max(0, self._in_flight - answered)
            used, requests, errors = self._rates or (None, None, None)
            return LoadReport(
                utilisation=used,
                requests_per_s=requests,
                errors_per_s=errors,
                in_flight=in_flight,
                latency_s=self._latency.now_s(in_flight),
            )
