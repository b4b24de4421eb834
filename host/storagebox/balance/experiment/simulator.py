"""The simulation: requests arrive, balancers choose, servers answer.

Nothing in it is random but what it is given: arrivals, and each client's own `Random`. So the same
seeds give the same run, to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan

import numpy as np

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.experiment.agenda import Agenda
from storagebox.balance.experiment.arrivals import Arrivals, Floats
from storagebox.balance.experiment.clients import Attempt, Client
from storagebox.balance.experiment.proxy import Proxy
from storagebox.balance.experiment.servers import Server
from storagebox.balance.experiment.trace import End, Trace
from storagebox.balance.outcome import LoadReport


class Simulation:
    """Clients and servers between which requests go.

    Args:
        agenda: the simulated time, which the servers share.
        clients: their endpoints' ports are 1 + a server's index.
        servers: what endpoints stand for; a proxy may be the last.
        hop_s: how long anything is on its way between client and server.
        probe_s: how long a probe takes, there and back.
    """

    def __init__(
        self,
        agenda: Agenda,
        clients: Sequence[Client],
        servers: Sequence[Server | Proxy],
        hop_s: float = 0.0,
        probe_s: float = 0.001,
    ) -> None:
        self.agenda = agenda
        self.clients = clients
        self._reached = servers
        self._servers = [each for each in servers if isinstance(each, Server)]
        self.hop_s = hop_s
        self._probe_s = probe_s
        self._probes = 0
        self._tries = 0
        self._latency_s: list[float] = []
        self._ends: list[int] = []

    def run(self, arrivals: Arrivals, warm_share: float = 0.2) -> Trace:
        """Let all of them arrive, and wait until each has ended or never will.

        Args:
            arrivals: the requests.
            warm_share: of the requests, is left out of what is measured.
        """
        count = len(arrivals)
        self._latency_s = [nan] * count
        self._ends = [End.LOST] * count
        warm = int(count * warm_share)
        before_s = [0.0] * len(self._servers)
        rows = zip(
            arrivals.times_s.tolist(),
            arrivals.clients.tolist(),
            arrivals.work_s.tolist(),
            strict=True,
        )
        run_until, clients = self.agenda.run_until, self.clients
        for index, (now, client, work_s) in enumerate(rows):
            run_until(now)
            if index == warm:
                before_s = [server.assigned_s for server in self._servers]
            clients[client].send(self, index, now, work_s)
        assigned_s = np.subtract([server.assigned_s for server in self._servers], before_s)
        run_until(inf)
        return self._trace(arrivals, warm, assigned_s)

    def _trace(self, arrivals: Arrivals, warm: int, assigned_s: Floats) -> Trace:
        from_s, until_s = float(arrivals.times_s[warm]), float(arrivals.times_s[-1])
        return Trace(
            born_s=arrivals.times_s,
            latency_s=np.asarray(self._latency_s),
            ends=np.asarray(self._ends, dtype=np.int8),
            assigned_s=assigned_s,
            capacity_s=np.asarray([each.capacity_s(from_s, until_s) for each in self._servers]),
            connections=sum(
                standing.picked > 0
                for client in self.clients
                for standing in client.balancer.standings(until_s)
            ),
            tries=self._tries,
            probes=self._probes,
            warm_s=from_s,
        )

    # For clients

    def reach(self, attempt: Attempt, now: float) -> None:
        """An attempt is on its way to its server."""
        self._tries += 1
        client = attempt.request.client
        for endpoint in client.balancer.probes(now):
            self._probes += 1
            self.agenda.at(now + self._probe_s / 2, self._probe, (client, endpoint))
        if self.hop_s:
            self.agenda.at(now + self.hop_s, self._arrive, attempt)
        else:
            self._server(attempt).take(attempt, now)

    def abandon(self, attempt: Attempt) -> None:
        """Nobody waits for it any more."""
        self._server(attempt).abandon(attempt)

    def settle(self, index: int, end: End, latency_s: float) -> None:
        """A request has ended, for who sent it."""
        self._latency_s[index] = latency_s
        self._ends[index] = end

    def _arrive(self, now: float, attempt: Attempt) -> None:
        if not attempt.given_up:
            self._server(attempt).take(attempt, now)

    def _probe(self, now: float, asked: tuple[Client, Endpoint]) -> None:
        client, endpoint = asked
        server = self._reached[endpoint.port - 1]
        report = server.probed(now) if isinstance(server, Server) else None
        if report is not None:
            answer = (client, endpoint, report)
            self.agenda.at(now + self._probe_s / 2, self._probed, answer)

    def _probed(self, now: float, answer: tuple[Client, Endpoint, LoadReport]) -> None:
        client, endpoint, report = answer
        client.balancer.probed(endpoint, report, now)

    def _server(self, attempt: Attempt) -> Server | Proxy:
        return self._reached[attempt.pick.endpoint.port - 1]
