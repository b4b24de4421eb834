"""The simulator against theory: nothing is lost, queues are as long as formulas say."""

from math import factorial
from random import Random
from statistics import mean, stdev

import numpy as np
import pytest

from storagebox.balance import Balancer, Endpoint
from storagebox.balance.experiment.agenda import Agenda
from storagebox.balance.experiment.arrivals import Arrivals, poisson
from storagebox.balance.experiment.clients import Client
from storagebox.balance.experiment.pace import Pace, stalling
from storagebox.balance.experiment.servers import Conduct, Server
from storagebox.balance.experiment.simulator import Simulation
from storagebox.balance.experiment.trace import End, Trace
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.retry.budget import Budget
from storagebox.balance.retry.hedging import Hedging
from storagebox.balance.transport.attempts import Settings


def simulated(
    seed: int,
    *,
    clients: int = 1,
    servers: int = 1,
    workers: int = 1,
    load: float = 0.7,
    requests: int = 10_000,
    settings: Settings | None = None,
    exponential: bool = False,
) -> Trace:
    agenda = Agenda()
    made = [Server(agenda, workers) for _ in range(servers)]
    endpoints = [Endpoint(f"s{number}", number + 1) for number in range(servers)]
    balancers = [Balancer(RoundRobin(), random=Random(f"{seed} {n}")) for n in range(clients)]
    for balancer in balancers:
        balancer.update(endpoints, 0.0)
    random = np.random.default_rng(seed)
    arrivals = poisson(random, requests, [load * servers * workers], [1.0] * clients, 1.0, 1.0)
    if exponential:
        arrivals = Arrivals(
            arrivals.times_s, arrivals.clients, random.standard_exponential(requests)
        )
    return Simulation(agenda, [Client(each, settings) for each in balancers], made).run(arrivals)


def test_every_request_ends_once_and_all_work_is_assigned():
    trace = simulated(1, clients=5, servers=3, workers=2, requests=5000)
    assert (trace.ends == End.ANSWERED).all()
    assert trace.tries == 5000
    assert np.isfinite(trace.latency_s).all()
    assert (trace.latency_s > 0).all()


def test_the_same_seed_gives_the_same_run():
    first, second, other = (
        simulated(seed, clients=3, servers=4, requests=2000) for seed in (1, 1, 2)
    )
    assert (first.latency_s == second.latency_s).all()
    assert (first.latency_s != other.latency_s).any()


def erlang_c(servers: int, load: float) -> float:
    """The chance to wait in M/M/c."""
    offered = servers * load
    last = offered**servers / factorial(servers) / (1 - load)
    return last / (sum(offered**k / factorial(k) for k in range(servers)) + last)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_time_in_one_server_is_that_of_the_formula(workers: int):
    load = 0.7
    expected = 1 + erlang_c(workers, load) / (workers * (1 - load))
    means = []
    for seed in range(8):
        trace = simulated(seed, workers=workers, load=load, exponential=True)
        means.append(float(trace.latency_s[trace.born_s >= trace.warm_s].mean()))
    assert abs(mean(means) - expected) < 4 * stdev(means) / len(means) ** 0.5


def test_at_the_deadline_a_request_ends_and_its_place_in_the_queue_is_free():
    trace = simulated(1, load=2.0, requests=3000, settings=Settings(None, deadline_s=5.0))
    late = trace.ends == End.DEADLINE
    assert 0.5 < late.mean() < 0.9, "half of what comes is too much"
    assert trace.latency_s[late] == pytest.approx(5.0)
    assert (trace.latency_s[~late] <= 5.0).all()


def test_work_passes_a_stall_standing():
    pace = stalling(every_s=10.0, for_s=2.0, until_s=25.0, first_s=5.0)
    assert pace.finish_s(4.0, 0.5) == 4.5
    assert pace.finish_s(4.0, 1.0) == 5.0
    assert pace.finish_s(4.5, 1.0) == 7.5
    assert pace.finish_s(6.0, 1.0) == 8.0
    assert pace.finish_s(4.0, 20.0) == 28.0, "two stalls on the way"
    assert pace.work_s(0.0, 20.0) == 16.0


def test_a_server_that_stands_still_for_good_never_finishes():
    assert Pace([(0.0, 1.0), (3.0, 0.0)]).finish_s(2.0, 5.0) == float("inf")


class Sent:
    """A task that notes its end."""

    def __init__(self) -> None:
        self.work_s = 1.0
        self.given_up = False
        self.came_s = 0.0
        self.in_flight_then = 0
        self.end: tuple[str, float] | None = None

    def ended(self, outcome: object, now: float, report: object) -> None:
        assert self.end is None, "a task ends once"
        self.end = (outcome.name, now)  # pyright: ignore[reportAttributeAccessIssue]


def test_whoever_is_at_a_server_that_dies_fails_and_whoever_comes_is_refused():
    agenda = Agenda()
    server = Server(agenda, workers=1)
    first, second, third = Sent(), Sent(), Sent()
    server.take(first, 0.0)
    server.take(second, 0.0)
    server.behave(Conduct.REFUSES, 0.5)
    server.take(third, 0.6)
    agenda.run_until(10.0)
    assert first.end == second.end == ("FAILURE", 0.5)
    assert third.end == ("UNREACHABLE", 0.6)
    assert server.in_flight == 0


def test_a_server_that_falls_silent_answers_nobody():
    agenda = Agenda()
    server = Server(agenda, workers=1)
    before, after = Sent(), Sent()
    server.take(before, 0.0)
    server.behave(Conduct.SILENT, 0.5)
    server.take(after, 0.6)
    agenda.run_until(10.0)
    assert before.end is None
    assert after.end is None


def test_a_server_holds_what_it_was_given_less_what_is_done_or_given_up():
    agenda = Agenda()
    server = Server(agenda, workers=1)
    done, at_work, waiting, on_its_way = Sent(), Sent(), Sent(), Sent()
    server.take(done, 0.0)
    agenda.run_until(1.0)
    assert done.end is not None
    server.abandon(done)  # its answer had not reached the client yet
    server.take(at_work, 1.0)
    server.take(waiting, 1.0)
    server.abandon(on_its_way)
    assert server.in_flight == 2
    server.abandon(at_work)
    server.abandon(waiting)
    assert server.in_flight == 1, "what is at work is finished"
    agenda.run_until(10.0)
    assert server.in_flight == 0
    assert waiting.end is None


def test_simulated_clients_eject_a_server_that_hedges_outpace():
    agenda = Agenda()
    servers = [Server(agenda, workers=4) for _ in range(3)]
    servers[0].behave(Conduct.SILENT, 0.0)
    balancer = Balancer(RoundRobin(), random=Random(1))
    balancer.update([Endpoint(f"s{number}", number + 1) for number in range(3)], 0.0)
    hedging = Hedging(enough=1, max_delay_s=3.0, budget=Budget(ratio=1.0))
    client = Client(balancer, Settings(hedging=hedging))
    times_s = np.arange(200) * 1.0
    arrivals = Arrivals(times_s, np.zeros(200, dtype=int), np.ones(200))
    trace = Simulation(agenda, [client], servers).run(arrivals)
    hung = balancer.standings(200.0)[0]
    assert "outpaced" in hung.state
    assert hung.picked < 30, "a third of all, but for trials"
    assert (trace.ends == End.ANSWERED).sum() >= 199  # the first, before any answer, isn't hedged
