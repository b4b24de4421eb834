"""Load as this client sees it without asking: its own requests that haven't ended.

With many clients of few requests each it is 0 or 1 and says little; then servers have to report.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport, Outcome

_FORGOTTEN = 0.01
"""Less than this of a failure is none."""


class Failures:
    """Failures of late, each counting as a request in flight that fades."""

    __slots__ = ("at_s", "count")

    def __init__(self, now: float) -> None:
        self.count = 0.0
        self.at_s = now

    def fade(self, now: float, fading_s: float) -> float:
        """How many there still are now."""
        if not self.count:
            return 0.0
        self.count *= exp((self.at_s - now) / fading_s)
        if self.count < _FORGOTTEN:
            self.count = 0.0
        self.at_s = now
        return self.count

    def add(self, now: float, fading_s: float) -> None:
        self.count = self.fade(now, fading_s) + 1.0
        self.at_s = now


@dataclass(frozen=True, slots=True)
class InFlight:
    """Requests in flight, and recent failures as if they still were (SRE, "active requests").

    Args:
        failure_s: a failure fades to 1/e of a request over so long.
    """

    failure_s: float = 10.0

    def fresh(self, now: float) -> Failures:
        return Failures(now)

    def ended(
        self, node: Node, latency_s: float, outcome: Outcome, report: LoadReport | None, now: float
    ) -> None:
        if outcome.blames_server:
            node.load.add(now, self.failure_s)

    def load(self, node: Node, now: float) -> float:
        failures: Failures = node.load
        if failures.count:
            return node.in_flight + failures.fade(now, self.failure_s)
        return node.in_flight


def in_flight(nodes: Sequence[Node]) -> int:
    """Requests that this client has at all of them."""
    return sum(node.in_flight for node in nodes)
