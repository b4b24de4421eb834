"""What a server can do, learnt from what it reports: requests a second at full utilisation.

    capacity = requests_per_s / (utilisation + errors_per_s / requests_per_s · penalty)

(gRPC A58; Site Reliability Engineering, chapter 20, calls it capability.) Errors count as use, so
a server that fails is taken to be weak, however little work failing is.
"""

from dataclasses import dataclass
from math import isfinite

from storagebox.balance.load.reported import sound
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport, Outcome


class Capacity:
    """The latest of one server, and since when it has told any."""

    __slots__ = ("at_s", "per_s", "since_s")

    def __init__(self) -> None:
        self.per_s = 0.0
        self.since_s: float | None = None
        self.at_s = 0.0

    def take(
        self, report: LoadReport, penalty: float, now: float, smoothing_s: float = 0.0
    ) -> None:
        """Note a report, unless it says nothing of capacity, or nonsense.

        Smoothed, it is the mean of all reports by time, and after `smoothing_s` their moving one.
        """
        used, per_s = sound(report.utilisation), sound(report.requests_per_s)
        if not used or not per_s:
            return
        used += (sound(report.errors_per_s) or 0.0) / per_s * penalty
        capacity = per_s / used
        if not capacity or not isfinite(capacity):
            return
        if self.since_s is None or not smoothing_s:
            self.per_s = capacity
        elif now > self.at_s:
            passed_s = now - self.at_s
            part = passed_s / min(smoothing_s + passed_s, now - self.since_s)
            self.per_s += (capacity - self.per_s) * part
        self.at_s = now
        if self.since_s is None:
            self.since_s = now

    def known(self, now: float, blackout_s: float, expiry_s: float) -> float | None:
        """Requests a second; `None` while it has told too short a time, or long ago."""
        if self.since_s is None:
            return None
        if now - self.at_s >= expiry_s:
            self.since_s = None
            return None
        return None if now - self.since_s < blackout_s else self.per_s


@dataclass(frozen=True, slots=True)
class ReportedCapacity:
    """Keeps servers' capacities. As a load it is the time a request takes of a server's capacity.

    Args:
        penalty: how much utilisation a share of errors of 1 counts as.
    """

    penalty: float = 1.0

    def fresh(self, now: float) -> Capacity:
        return Capacity()

    def ended(
        self, node: Node, latency_s: float, outcome: Outcome, report: LoadReport | None, now: float
    ) -> None:
        if report is not None:
            node.load.take(report, self.penalty, now)

    def load(self, node: Node, now: float) -> float:
        capacity: Capacity = node.load
        return 1.0 / capacity.per_s if capacity.per_s else 0.0
