"""When a request gets a second server besides its first: by what requests of this client take."""

from storagebox.balance.balancer import Balancer, Pick
from storagebox.balance.retry.hedging import Hedging, Latencies
from storagebox.balance.transport.attempts import Attempts


class Hedges:
    """The hedges of one transport.

    Args:
        balancer: whose servers are asked.
        hedging: when; `None`: never.
    """

    def __init__(self, balancer: Balancer, hedging: Hedging | None) -> None:
        self._balancer = balancer
        self._hedging = hedging
        self.latencies = Latencies() if hedging is not None else None

    def answered(self, pick: Pick, now: float) -> None:
        """An answer has begun to come. One that a hedge was faster than doesn't count: later
        hedges would wait for the slow."""
        if self.latencies is not None and not pick.overtaken:
            self.latencies.add(now - pick.began_s, now)

    def after_s(self, attempts: Attempts, now: float) -> float | None:
        """How long to wait before another endpoint is asked besides; `None`: for ever."""
        hedging = self._hedging
        if hedging is None or self.latencies is None or not attempts.may_hedge():
            return None
        delay_s = self.latencies.quantile(hedging.quantile, now, enough=hedging.enough)
        if delay_s is None:
            return None
        return min(hedging.max_delay_s, max(hedging.min_delay_s, delay_s))

    def may_now(self, now: float) -> bool:
        """Whether the budget has a hedge left; takes it."""
        hedging = self._hedging
        return hedging is not None and self._balancer.size > 1 and hedging.budget.withdraw(now)
