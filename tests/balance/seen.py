"""A balancer whose time and failures a test decides."""

from collections.abc import Sequence
from random import Random

from storagebox.balance import Balancer, Endpoint, Outcome, Pick
from storagebox.balance.health.trust import Trust
from storagebox.balance.outcome import LoadReport
from storagebox.balance.picker.round_robin import RoundRobin


def endpoints(count: int, **said: float | bool) -> list[Endpoint]:
    """`10.0.0.1` and on."""
    return [Endpoint(f"10.0.0.{n + 1}", 80, **said) for n in range(count)]  # pyright: ignore[reportArgumentType]


class Seen:
    """A balancer with round robin, and a clock that a test sets."""

    def __init__(
        self, members: Sequence[Endpoint] | int, trust: Trust | None = None, seed: int = 1
    ) -> None:
        self.members = endpoints(members) if isinstance(members, int) else list(members)
        self.now = 0.0
        self.balancer = Balancer(RoundRobin(), health=trust, random=Random(seed))
        self.balancer.update(self.members, self.now)

    def update(self, members: Sequence[Endpoint]) -> None:
        self.members = list(members)
        self.balancer.update(self.members, self.now)

    def pick(self, *, safe: bool = True) -> Pick:
        return self.balancer.pick(self.now, safe=safe)

    def end(self, pick: Pick, outcome: Outcome, retry_after_s: float | None = None) -> None:
        report = None if retry_after_s is None else LoadReport(retry_after_s=retry_after_s)
        pick.done(outcome, self.now, report)

    def chosen(self) -> set[str]:
        """Who is eligible now, by host."""
        self.balancer.refresh(self.now)
        return {each.endpoint.host for each in self.balancer.standings(self.now) if each.eligible}

    def standing(self, host: str) -> str:
        return next(s.state for s in self.balancer.standings(self.now) if s.endpoint.host == host)

    def weight(self, host: str) -> float | None:
        self.balancer.refresh(self.now)
        return next(s.weight for s in self.balancer.standings(self.now) if s.endpoint.host == host)

    def fail(self, *hosts: str, times: int = 3, outcome: Outcome = Outcome.FAILURE) -> None:
        """So many requests to each of these fail; those to others meanwhile succeed."""
        left = dict.fromkeys(hosts, times)
        for _ in range(10_000):
            if not any(left.values()):
                return
            pick = self.pick(safe=False)
            if left.get(pick.endpoint.host):
                left[pick.endpoint.host] -= 1
                self.end(pick, outcome)
            else:
                self.end(pick, Outcome.SUCCESS)
        raise AssertionError(f"never chosen: {left}")
