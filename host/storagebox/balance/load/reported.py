"""Load as the server tells it, with its answers or to probes.

It holds the requests of all clients, not only of this one. What it doesn't hold is what this
client has sent since the report, so that is added: otherwise all requests between two reports
would go to whoever looked best in the first.
"""

from dataclasses import dataclass
from math import isfinite

from storagebox.balance.load.in_flight import Failures
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport, Outcome


class Told:
    """What a server has told, and what it hasn't: failures."""

    __slots__ = ("at_s", "failures", "in_flight", "latency_s", "picked")

    def __init__(self, now: float) -> None:
        self.in_flight = -1
        """Requests it held then; -1: it never told."""
        self.latency_s: float | None = None
        self.at_s = now
        self.picked = 0
        """`node.picked` at the report: what is above has come since."""
        self.failures: Failures | None = None
        """`None` until the first: most servers of most clients never fail."""

    def take(self, node: Node, report: LoadReport, now: float) -> bool:
        """Note a report; False if it says nothing of requests in flight, or nonsense."""
        in_flight = sound(report.in_flight)
        if in_flight is None:
            return False
        self.in_flight = int(in_flight)
        self.latency_s = sound(report.latency_s)
        self.at_s = now
        self.picked = node.picked
        return True

    def fail(self, now: float, fading_s: float) -> None:
        """Note a failure."""
        if self.failures is None:
            self.failures = Failures(now)
        self.failures.add(now, fading_s)

    def failing(self, now: float, fading_s: float) -> float:
        """How many failures there still are now."""
        return 0.0 if self.failures is None else self.failures.fade(now, fading_s)

    def told(self, now: float, max_age_s: float) -> bool:
        """Whether there is a report that is young enough."""
        return self.in_flight >= 0 and now - self.at_s <= max_age_s


@dataclass(frozen=True, slots=True)
class ReportedInFlight:
    """Requests in flight at the server (RIF), of all clients, plus one's own since it told so.

    A server that hasn't told lately is measured by one's own requests in flight; see `less`.

    Args:
        max_age_s: an older report says nothing.
        failure_s: a failure counts as a request in flight and fades to 1/e over so long.
    """

    max_age_s: float = 5.0
    failure_s: float = 10.0

    def fresh(self, now: float) -> Told:
        return Told(now)

    def ended(
        self, node: Node, latency_s: float, outcome: Outcome, report: LoadReport | None, now: float
    ) -> None:
        told: Told = node.load
        if report is not None:
            told.take(node, report, now)
        if outcome.blames_server:
            told.fail(now, self.failure_s)

    def load(self, node: Node, now: float) -> float:
        told: Told = node.load
        if told.told(now, self.max_age_s):
            load = max(told.in_flight + node.picked - told.picked, node.in_flight)
        else:
            load = node.in_flight
        return load + told.failing(now, self.failure_s) if told.failures else load

    def less(self, one: Node, other: Node, now: float) -> bool:
        """Whether the first has no more load than the second.

        If only one of them reports, both are measured by one's own requests: a server that tells
        nothing would look idle beside one that tells of all clients.
        """
        if one.load.told(now, self.max_age_s) == other.load.told(now, self.max_age_s):
            return self.load(one, now) <= self.load(other, now)
        return self._own(one, now) <= self._own(other, now)

    def _own(self, node: Node, now: float) -> float:
        told: Told = node.load
        return node.in_flight + told.failing(now, self.failure_s)


def sound(value: float | None) -> float | None:
    """A figure from a report, unless it is none: missing, negative, NaN or infinite."""
    return value if value is not None and isfinite(value) and value >= 0 else None
