"""Load as what requests take lately: peaks count at once, and fade.

    estimate × (requests in flight + 1)

(Finagle `PeakEwma.scala`, tower `load/peak_ewma.rs`.) Its weak spots: requests that wait on
purpose (long polls), and sparse traffic, where a single slow answer decides for long.
"""

from dataclasses import dataclass
from math import exp

from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport, Outcome

_UNMEASURED = 1e9
"""A second request to a server that hasn't answered the first costs more than any that has."""


class _Estimate:
    __slots__ = ("at_s", "latency_s", "measured")

    def __init__(self, now: float) -> None:
        self.latency_s = 0.0
        self.at_s = now
        self.measured = False


@dataclass(frozen=True, slots=True)
class PeakEwma:
    """Latency's moving average that jumps to peaks, times requests in flight.

    Args:
        fading_s: an estimate falls to 1/e of its distance over so long (Finagle, linkerd2: 10 s).
        failure_s: a failure counts as an answer that took at least so long, and never less than
            the estimate: a server that fails fast isn't fast.
    """

    fading_s: float = 10.0
    failure_s: float = 1.0

    def fresh(self, now: float) -> _Estimate:
        return _Estimate(now)

    def ended(
        self, node: Node, latency_s: float, outcome: Outcome, report: LoadReport | None, now: float
    ) -> None:
        estimate: _Estimate = node.load
        if outcome is Outcome.SUCCESS:
            self._observe(estimate, latency_s, now)
            estimate.measured = True
        elif outcome.blames_server:
            self._observe(estimate, max(latency_s, self.failure_s, estimate.latency_s), now)
            estimate.measured = True
        elif outcome is Outcome.CANCELLED and latency_s > estimate.latency_s:
            self._observe(estimate, latency_s, now)  # it would have taken even longer

    def load(self, node: Node, now: float) -> float:
        estimate: _Estimate = node.load
        if not estimate.measured:
            return _UNMEASURED + node.in_flight if node.in_flight else 0.0
        if now > estimate.at_s:
            self._observe(estimate, 0.0, now)
        return estimate.latency_s * (node.in_flight + 1)

    def _observe(self, estimate: _Estimate, latency_s: float, now: float) -> None:
        if latency_s > estimate.latency_s:
            estimate.latency_s = latency_s
        else:
            kept = exp((estimate.at_s - now) / self.fading_s)
            estimate.latency_s = estimate.latency_s * kept + latency_s * (1 - kept)
        estimate.at_s = now
