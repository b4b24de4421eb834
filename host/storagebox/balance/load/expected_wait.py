"""Load as the time that one more request would wait: requests at the server over what it can do.

    (requests in flight at the server + own since the report + 1) / capacity

The first is the server's latest report (`reported`), the second what its reports have taught
(`capacity`). A server that is half as fast and one with twice as many requests are then as bad as
each other, and no one has to configure weights.
"""

from dataclasses import dataclass

from storagebox.balance.load.capacity import Capacity
from storagebox.balance.load.in_flight import Failures
from storagebox.balance.load.reported import Told
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport, Outcome


class Expectation:
    """What is known of one server."""

    __slots__ = ("capacity", "failures", "told")

    def __init__(self, now: float) -> None:
        self.told = Told(now)
        self.failures: Failures = self.told.failures
        self.capacity = Capacity()


@dataclass(frozen=True, slots=True)
class ExpectedWait:
    """Expected wait, up to a factor that is the same for all servers.

    Args:
        max_age_s: an older report of requests in flight says nothing; then one's own count.
        failure_s: a failure counts as a request in flight and fades to 1/e over so long.
        penalty: how much utilisation a share of errors of 1 counts as.
    """

    max_age_s: float = 10.0
    failure_s: float = 10.0
    penalty: float = 1.0

    def fresh(self, now: float) -> Expectation:
        return Expectation(now)

    def ended(
        self, node: Node, latency_s: float, outcome: Outcome, report: LoadReport | None, now: float
    ) -> None:
        expectation: Expectation = node.load
        if report is not None:
            expectation.told.take(node, report, now)
            expectation.capacity.take(report, self.penalty, now)
        if outcome.blames_server:
            expectation.failures.add(now, self.failure_s)

    def load(self, node: Node, now: float) -> float:
        """Requests in flight and one more; the picker divides by capacity."""
        expectation: Expectation = node.load
        told = expectation.told
        load = node.in_flight + 1.0
        if told.told(now, self.max_age_s):
            load = max(load, told.in_flight + node.picked - told.picked + 1.0)
        failures = expectation.failures
        return load + failures.fade(now, self.failure_s) if failures.count else load

    def own(self, node: Node, now: float) -> float:
        """The same by one's own requests alone, to compare with servers that tell nothing."""
        failures: Failures = node.load.failures
        load = node.in_flight + 1.0
        return load + failures.fade(now, self.failure_s) if failures.count else load
