"""A simulated proxy: the middle that all requests go through, until it dies."""

from __future__ import annotations

from collections.abc import Sequence

from storagebox.balance.balancer import Balancer, NoEndpoint, Pick
from storagebox.balance.experiment.servers import Conduct, Server, Task
from storagebox.balance.outcome import LoadReport, Outcome


class Proxy:
    """Takes requests as a server does, and passes each on to a server that it chooses.

    It has all the processor it needs. A server that refuses a connection is passed over for
    another, once each, as proxies do.

    Args:
        balancer: chooses.
        servers: what endpoints stand for: port 1 is the first.
    """

    def __init__(self, balancer: Balancer, servers: Sequence[Server]) -> None:
        self._balancer = balancer
        self._servers = servers
        self._conduct = Conduct.SERVES
        self._held: dict[Task, _Relayed] = {}

    def take(self, task: Task, now: float) -> None:
        """A request has come."""
        if self._conduct is Conduct.REFUSES:
            task.ended(Outcome.UNREACHABLE, now, None)
        else:
            self.forward(task, [], now)

    def behave(self, conduct: Conduct, now: float) -> None:
        """It dies, and with it all it holds; or it is back."""
        self._conduct = conduct
        if conduct is Conduct.SERVES:
            return
        held, self._held = self._held, {}
        for task, relayed in held.items():
            relayed.drop(now)
            task.ended(Outcome.FAILURE, now, None)

    def abandon(self, task: Task) -> None:
        """Its client waits no longer."""
        task.given_up = True
        relayed = self._held.get(task)
        if relayed is not None:
            self.server(relayed.pick).abandon(relayed)

    def forward(self, task: Task, tried: list[str], now: float) -> None:
        """Choose a server that wasn't tried, and go there."""
        try:
            pick = self._balancer.pick(now, None, tried)
        except NoEndpoint:
            task.ended(Outcome.FAILURE, now, None)
            return
        relayed = self._held[task] = _Relayed(self, task, pick, tried)
        self.server(pick).take(relayed, now)

    def server(self, pick: Pick) -> Server:
        """Who was picked."""
        return self._servers[pick.endpoint.port - 1]

    def over(
        self, relayed: _Relayed, outcome: Outcome, now: float, report: LoadReport | None
    ) -> None:
        """A server has answered, or refused."""
        task, tried = relayed.task, [*relayed.tried, relayed.pick.endpoint.id]
        if self._held.pop(task, None) is None:
            return
        if outcome is Outcome.UNREACHABLE and len(tried) < len(self._servers):
            self.forward(task, tried, now)
        else:
            told = Outcome.FAILURE if outcome is Outcome.UNREACHABLE else outcome
            task.ended(told, now, report)


class _Relayed:
    """A client's request, on its way from the proxy to a server."""

    def __init__(self, proxy: Proxy, task: Task, pick: Pick, tried: list[str]) -> None:
        self.proxy = proxy
        self.task = task
        self.pick = pick
        self.tried = tried
        self.work_s = task.work_s
        self.given_up = False
        self.came_s = 0.0
        self.in_flight_then = 0

    def ended(self, outcome: Outcome, now: float, report: LoadReport | None) -> None:
        if self.pick.open:
            self.pick.done(outcome, now, report)
            self.proxy.over(self, outcome, now, report)

    def drop(self, now: float) -> None:
        self.proxy.server(self.pick).abandon(self)
        self.pick.done(Outcome.CANCELLED, now)
