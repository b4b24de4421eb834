"""Load as the time that one more request would wait: requests at the server over what it can do.

    (requests in flight at the server + own since the report + 1) / capacity

The first is the server's latest report (`reported`), the second what its reports have taught
(`capacity`). A server that is half as fast and one with twice as many requests are then as bad as
each other, and no one has to configure weights.

A server that stands still tells nothing, and its last report stays good. So silence counts, too:

    unanswered requests of one's own there · ln(time since it last answered / usual latency)

once that time is longer than usual. It is how surprising such a silence is: the cumulative hazard
of times that are Pareto's beyond what is usual, the heaviest of tails. With it a moment tells the
less, the longer the silence has lasted: a request that takes a thousand times as long as others is
perhaps meant to, and must not keep a server from all others for ever.
"""

from dataclasses import dataclass
from math import inf, log

from storagebox.balance.load.capacity import Capacity
from storagebox.balance.load.reported import Told
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport, Outcome

_OF_LATE = 32
"""Over about so many answers the usual latency is averaged."""
_SHORTEST_S = 0.0001
"""Nothing is taken to be usually faster: pauses of one's own are longer."""


class Expectation(Told):
    """What is known of one server: in one object, as a pick among thousands waits for memory."""

    __slots__ = ("capacity", "usual_s")

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.capacity = Capacity()
        self.usual_s = inf
        """What its answers took of late: their geometric mean, which a stuck one hardly moves."""

    def took(self, latency_s: float) -> None:
        """Note an answer."""
        latency_s = max(_SHORTEST_S, latency_s)
        if self.usual_s == inf:
            self.usual_s = latency_s
        else:
            self.usual_s *= (latency_s / self.usual_s) ** (1 / _OF_LATE)

    def silence(self, node: Node, now: float) -> float:
        """How many requests its silence counts as; 0 before its first answer."""
        quiet_s = now - node.quiet_s
        if quiet_s <= self.usual_s:
            return 0.0
        return node.unanswered * log(quiet_s / self.usual_s)


@dataclass(frozen=True, slots=True)
class ExpectedWait:
    """Expected wait, up to a factor that is the same for all servers.

    Args:
        max_age_s: an older report of requests in flight says nothing. It may be long: who looks
            idle by an old one is picked, and tells anew; who looks busy isn't missed while others
            are idle.
        failure_s: a failure counts as a request in flight and fades to 1/e over so long.
        penalty: how much utilisation a share of errors of 1 counts as.
        smoothing_s: over how long capacities are averaged.
    """

    max_age_s: float = 30.0
    failure_s: float = 10.0
    penalty: float = 1.0
    smoothing_s: float = 5.0

    def fresh(self, now: float) -> Expectation:
        return Expectation(now)

    def ended(
        self, node: Node, latency_s: float, outcome: Outcome, report: LoadReport | None, now: float
    ) -> None:
        expectation: Expectation = node.load
        if report is not None:
            expectation.take(node, report, now)
            expectation.capacity.take(report, self.penalty, now, self.smoothing_s)
        if outcome is Outcome.SUCCESS:
            expectation.took(latency_s)
        elif outcome.blames_server:
            expectation.fail(now, self.failure_s)

    def load(self, node: Node, now: float) -> float:
        """Requests there and one more; the picker divides by capacity."""
        told: Expectation = node.load
        load = self.own(node, now) + 1.0
        if told.told(now, self.max_age_s):
            load += max(0, told.in_flight + node.picked - told.picked - node.in_flight)
        return load

    def own(self, node: Node, now: float) -> float:
        """One's own requests there, to compare with servers that tell nothing."""
        told: Expectation = node.load
        return node.in_flight + told.failing(now, self.failure_s) + told.silence(node, now)
