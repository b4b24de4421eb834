"""The simulation: requests arrive, balancers choose, servers answer.

Nothing in it is random but what it is given: arrivals, and each client's own `Random`. So the same
seeds give the same run, to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan

import numpy as np

from storagebox.balance.balancer import Balancer, NoEndpoint, Pick
from storagebox.balance.experiment.agenda import Agenda
from storagebox.balance.experiment.arrivals import Arrivals
from storagebox.balance.experiment.servers import Server
from storagebox.balance.experiment.trace import End, Trace
from storagebox.balance.outcome import LoadReport, Outcome


class Simulation:
    """Clients and servers between which requests go.

    Args:
        agenda: the simulated time, which the servers share.
        balancers: one a client; their endpoints' ports are 1 + a server's index.
        servers: what endpoints stand for.
        deadline_s: how long a client waits for an answer.
    """

    def __init__(
        self,
        agenda: Agenda,
        balancers: Sequence[Balancer],
        servers: Sequence[Server],
        deadline_s: float = inf,
    ) -> None:
        self.agenda = agenda
        self.balancers = balancers
        self.servers = servers
        self.deadline_s = deadline_s
        self.tries = 0
        self._latency_s: list[float] = []
        self._ends: list[int] = []

    def run(self, arrivals: Arrivals, warm_share: float = 0.2) -> Trace:
        """Let all of them arrive, and wait until each has ended.

        Args:
            arrivals: the requests.
            warm_share: of the requests, is left out of what is measured.
        """
        count = len(arrivals)
        self._latency_s = [nan] * count
        self._ends = [End.LOST] * count
        warm = int(count * warm_share)
        before_s = [0.0] * len(self.servers)
        rows = zip(
            arrivals.times_s.tolist(),
            arrivals.clients.tolist(),
            arrivals.work_s.tolist(),
            strict=True,
        )
        run_until = self.agenda.run_until
        for index, (now, client, work_s) in enumerate(rows):
            run_until(now)
            if index == warm:
                before_s = [server.assigned_s for server in self.servers]
            Request(self, index, self.balancers[client], now, work_s).send(now)
        assigned_s = [server.assigned_s for server in self.servers]
        run_until(inf)
        return self._trace(arrivals, warm, np.subtract(assigned_s, before_s))

    def _trace(
        self,
        arrivals: Arrivals,
        warm: int,
        assigned_s: np.ndarray[tuple[int], np.dtype[np.float64]],
    ) -> Trace:
        from_s, until_s = float(arrivals.times_s[warm]), float(arrivals.times_s[-1])
        capacity_s = [
            server.workers * server.pace.work_s(from_s, until_s) for server in self.servers
        ]
        return Trace(
            born_s=arrivals.times_s,
            latency_s=np.asarray(self._latency_s),
            ends=np.asarray(self._ends, dtype=np.int8),
            assigned_s=assigned_s,
            capacity_s=np.asarray(capacity_s),
            tries=self.tries,
            warm_s=from_s,
        )

    def settle(self, index: int, end: End, latency_s: float) -> None:
        """A request has ended, for who sent it."""
        self._latency_s[index] = latency_s
        self._ends[index] = end


class Request:
    """One request of a client, with its attempt."""

    __slots__ = ("balancer", "born_s", "given_up", "index", "pick", "simulation", "work_s")

    def __init__(
        self, simulation: Simulation, index: int, balancer: Balancer, now: float, work_s: float
    ) -> None:
        self.simulation = simulation
        self.index = index
        self.balancer = balancer
        self.born_s = now
        self.work_s = work_s
        self.given_up = False
        self.pick: Pick | None = None

    def send(self, now: float) -> None:
        """Choose a server and go there."""
        simulation = self.simulation
        try:
            pick = self.pick = self.balancer.pick(now)
        except NoEndpoint:
            simulation.settle(self.index, End.FAILED, 0.0)
            return
        simulation.tries += 1
        if simulation.deadline_s < inf:
            simulation.agenda.at(now + simulation.deadline_s, self.expire, None)
        simulation.servers[pick.endpoint.port - 1].take(self, now)

    def ended(self, outcome: Outcome, now: float, report: LoadReport | None) -> None:
        """The server has answered."""
        if self.pick is None:
            return
        pick, self.pick = self.pick, None
        pick.done(outcome, now, report)
        end = End.ANSWERED if outcome is Outcome.SUCCESS else End.FAILED
        self.simulation.settle(self.index, end, now - self.born_s)

    def expire(self, now: float, _: object) -> None:
        """The deadline has come."""
        if self.pick is None:
            return
        pick, self.pick = self.pick, None
        self.given_up = True
        pick.done(Outcome.FAILURE, now)
        self.simulation.settle(self.index, End.DEADLINE, now - self.born_s)
