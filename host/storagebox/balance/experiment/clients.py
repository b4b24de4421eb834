"""A request of a simulated client, from its choice of a server to its end.

`Once` is a client that sends each request to one server. `Persistent` does what the transports do:
it drives the same `Attempts`, so it retries, hedges and keeps its budgets as a program would.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from storagebox.balance.balancer import Balancer, NoEndpoint, Pick
from storagebox.balance.experiment.trace import End
from storagebox.balance.outcome import LoadReport, Outcome
from storagebox.balance.retry.hedging import Latencies
from storagebox.balance.transport.attempts import Attempts, Settings

if TYPE_CHECKING:
    from storagebox.balance.experiment.simulator import Simulation


class Client:
    """Who sends requests: a balancer, and how patient it is.

    Args:
        balancer: its own.
        settings: retries, hedges and deadline; `None`: it sends each request once and waits.
        attempt_s: how long it waits for one server.
    """

    def __init__(
        self, balancer: Balancer, settings: Settings | None = None, attempt_s: float = inf
    ) -> None:
        self.balancer = balancer
        self.settings = settings or Settings(retries=None)
        self.attempt_s = attempt_s
        self.latencies = Latencies()
        self.once = self.settings.retries is None and self.settings.hedging is None
        limit_s = self.settings.deadline_s
        self.deadline_s = inf if limit_s is None else limit_s

    def send(self, simulation: Simulation, index: int, now: float, work_s: float) -> None:
        """A request begins."""
        if self.once:
            Once(simulation, self, index, now, work_s).send(now)
        else:
            Persistent(simulation, self, index, now, work_s).begin(now)


class Attempt:
    """One request at one server. It is the server's task."""

    __slots__ = (
        "came_s",
        "given_up",
        "in_flight_then",
        "pick",
        "request",
        "work_s",
    )

    def __init__(self, request: Once | Persistent, pick: Pick, work_s: float) -> None:
        self.request = request
        self.pick = pick
        self.work_s = work_s
        self.given_up = False
        self.came_s = 0.0
        self.in_flight_then = 0

    def ended(self, outcome: Outcome, now: float, report: LoadReport | None) -> None:
        """The server's end of it is over; the client hears of it once that has crossed the net."""
        simulation = self.request.simulation
        if simulation.hop_s:
            simulation.agenda.at(now + simulation.hop_s, self._heard, (outcome, report))
        else:
            self._heard(now, (outcome, report))

    def _heard(self, now: float, said: tuple[Outcome, LoadReport | None]) -> None:
        if self.pick.open:
            outcome, report = said
            self.pick.done(outcome, now, report)
            self.request.over(self, outcome, now)

    def give_up(self, outcome: Outcome, now: float) -> None:
        """The client waits for it no longer."""
        if self.pick.open:
            self.request.simulation.abandon(self)
            self.pick.done(outcome, now)


class Once:
    """A request that is sent to one server, and that is that."""

    __slots__ = ("attempt", "born_s", "client", "index", "settled", "simulation", "work_s")

    def __init__(
        self, simulation: Simulation, client: Client, index: int, now: float, work_s: float
    ) -> None:
        self.simulation = simulation
        self.client = client
        self.index = index
        self.born_s = now
        self.work_s = work_s

    def send(self, now: float) -> None:
        """Choose a server and go there."""
        simulation, client = self.simulation, self.client
        try:
            pick = client.balancer.pick(now)
        except NoEndpoint:
            simulation.settle(self.index, End.FAILED, 0.0)
            return
        attempt = Attempt(self, pick, self.work_s)
        wait_s = min(client.deadline_s, client.attempt_s)
        if wait_s < inf:
            simulation.agenda.at(now + wait_s, self._expire, attempt)
        simulation.reach(attempt, now)

    def over(self, attempt: Attempt, outcome: Outcome, now: float) -> None:
        """The server has answered."""
        end = End.ANSWERED if outcome is Outcome.SUCCESS else End.FAILED
        self.simulation.settle(self.index, end, now - self.born_s)

    def _expire(self, now: float, attempt: Attempt) -> None:
        if attempt.pick.open:
            attempt.give_up(Outcome.FAILURE, now)
            self.simulation.settle(self.index, End.DEADLINE, now - self.born_s)


class Persistent:
    """A request that is sent again, or to a second server besides, as the settings have it."""

    __slots__ = (
        "attempts",
        "born_s",
        "client",
        "index",
        "open",
        "settled",
        "simulation",
        "work_s",
    )

    def __init__(
        self, simulation: Simulation, client: Client, index: int, now: float, work_s: float
    ) -> None:
        self.simulation = simulation
        self.client = client
        self.index = index
        self.born_s = now
        self.work_s = work_s
        self.settled = False
        self.open: list[Attempt] = []
        self.attempts = Attempts(
            client.balancer, client.settings, "GET", {}, replayable=True, key=None, now=now
        )

    def begin(self, now: float) -> None:
        """Send it for the first time."""
        agenda, deadline_s = self.simulation.agenda, self.client.deadline_s
        if deadline_s < inf:
            agenda.at(now + deadline_s, self._expire, None)
        self._send(now, None)

    def over(self, attempt: Attempt, outcome: Outcome, now: float) -> None:
        """One attempt has ended."""
        self.open.remove(attempt)
        if outcome is Outcome.SUCCESS:
            self.client.latencies.add(now - attempt.pick.began_s, now)
            self.attempts.outpacing(attempt.pick, now)
            self._settle(End.ANSWERED, now)
        elif not self.open:
            self._again(attempt, outcome, now)

    def _again(self, attempt: Attempt, outcome: Outcome, now: float) -> None:
        if self.attempts.again(attempt.pick, outcome, None, outcome.value, now):
            pause_s = self.attempts.pause_s()
            if pause_s:
                self.simulation.agenda.at(now + pause_s, self._send, None)
            else:
                self._send(now, None)
        else:
            self._settle(End.FAILED, now)

    def _send(self, now: float, _: object) -> None:
        if self.settled:
            return
        try:
            pick = self.attempts.pick(now)
        except NoEndpoint:
            self._settle(End.FAILED, now)
            return
        attempt = Attempt(self, pick, self.work_s)
        self.open.append(attempt)
        agenda = self.simulation.agenda
        if self.client.attempt_s < inf:
            agenda.at(now + self.client.attempt_s, self._too_slow, attempt)
        if len(self.open) == 1:
            self._plan_hedge(attempt, now)
        self.simulation.reach(attempt, now)

    def _plan_hedge(self, attempt: Attempt, now: float) -> None:
        hedging = self.client.settings.hedging
        if hedging is None:
            return
        delay_s = self.client.latencies.quantile(hedging.quantile, now, enough=hedging.enough)
        if delay_s is not None:
            delay_s = min(hedging.max_delay_s, max(hedging.min_delay_s, delay_s))
            self.simulation.agenda.at(now + delay_s, self._hedge, attempt)

    def _hedge(self, now: float, attempt: Attempt) -> None:
        hedging = self.client.settings.hedging
        waiting = not self.settled and self.open == [attempt]
        if waiting and hedging is not None and hedging.budget.withdraw(now):
            self._send(now, None)

    def _too_slow(self, now: float, attempt: Attempt) -> None:
        if attempt.pick.open:
            attempt.give_up(Outcome.FAILURE, now)
            self.open.remove(attempt)
            if not self.open:
                self._again(attempt, Outcome.FAILURE, now)

    def _expire(self, now: float, _: object) -> None:
        if not self.settled:
            self._settle(End.DEADLINE, now)

    def _settle(self, end: End, now: float) -> None:
        self.settled = True
        for attempt in self.open:
            attempt.give_up(Outcome.CANCELLED if end is End.ANSWERED else Outcome.FAILURE, now)
        self.open.clear()
        self.simulation.settle(self.index, end, now - self.born_s)
