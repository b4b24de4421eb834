"""Three equal servers with next to nothing to do: each gets a third, whatever they tell."""

from collections import Counter
from random import Random

import pytest

from storagebox.balance import Balancer, Outcome
from storagebox.balance.defaults import POLICY
from storagebox.balance.load.reported import ReportedInFlight
from storagebox.balance.outcome import LoadReport
from storagebox.balance.picker import Policy
from storagebox.balance.picker.least_expected_wait import LeastExpectedWait
from storagebox.balance.picker.least_request import LeastRequest
from storagebox.balance.picker.power_of_two import PowerOfTwo
from storagebox.balance.picker.reported_weights import ReportedWeights
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.reporting.account import Account
from tests.balance.seen import endpoints
from tests.balance.served import begin, nodes, tell

WORK_S = 0.005
REQUESTS = 600


class _Server:
    """Tells its load as `reporting` does. Its process spends time on other things, too, so that
    requests look cheaper the more there are."""

    def __init__(self) -> None:
        self.account = Account(1, 1.0, 0.0, 0.0)
        self.worked_s = 0.0

    def cpu_s(self, now: float, idly: float) -> float:
        return self.worked_s + idly * now


def shares(policy: Policy, seed: int, idly: float, every_s: float = 0.05) -> list[float]:
    """What each server gets of requests that come one after the other."""
    random = Random(seed)
    balancer = Balancer(policy, random=Random(seed + 1000))
    balancer.update(endpoints(3), 0.0)
    servers = {endpoint.id: _Server() for endpoint in endpoints(3)}
    now, picked = 0.0, Counter[str]()
    for _ in range(REQUESTS):
        now += random.expovariate(1 / every_s)
        pick = balancer.pick(now)
        picked[pick.endpoint.id] += 1
        server = servers[pick.endpoint.id]
        served = server.account.began(now)
        took_s = WORK_S * random.lognormvariate(0, 0.5)
        now += took_s
        server.worked_s += took_s
        report = server.account.report(answered=1)
        server.account.ended(served, now, server.cpu_s(now, idly), failed=False)
        pick.done(Outcome.SUCCESS, now, report)
    return [picked[id_] / REQUESTS for id_ in servers]


@pytest.mark.parametrize("idly", [0.0, 0.02, 0.3])
@pytest.mark.parametrize(
    "policy",
    [
        POLICY,
        LeastExpectedWait(choices=2),
        LeastRequest(),
        PowerOfTwo(),
        PowerOfTwo(ReportedInFlight()),
        RoundRobin(),
    ],
    ids=repr,
)
def test_each_of_three_idle_servers_gets_a_third(policy: Policy, idly: float):
    got = [shares(policy, seed, idly) for seed in range(6)]
    for each in got:
        assert each == pytest.approx([1 / 3] * 3, abs=0.1)
    means = [sum(each[server] for each in got) / len(got) for server in range(3)]
    assert means == pytest.approx([1 / 3] * 3, abs=0.04)


def test_learnt_weights_wander_the_more_the_less_of_a_server_its_requests_are():
    """As the formula of gRPC A58 has it (`reported_weights`): deviations come back as weights,
    nearly whole where requests are nearly nothing of what a process does."""

    def uneven(idly: float, every_s: float) -> float:
        policy = ReportedWeights(blackout_s=0.0)
        return max(1 / 3 - min(shares(policy, seed, idly, every_s)) for seed in range(6))

    assert uneven(0.0, 0.5) < 0.05
    assert uneven(0.02, 0.05) < 0.05
    assert uneven(0.3, 0.5) > 0.05
    assert uneven(0.02, 2.0) > 0.1


def reported(in_flight: list[int], capacities: list[float]) -> Counter[int]:
    """How often each server is picked by the default policy after it has told this."""
    policy = LeastExpectedWait(blackout_s=0.0)
    servers = nodes(policy, len(in_flight))
    reports = [
        LoadReport(in_flight=count, utilisation=0.5, requests_per_s=capacity / 2)
        for count, capacity in zip(in_flight, capacities, strict=True)
    ]
    tell(policy, servers, 0.0, *reports)
    picker = policy.picker(servers, None, Random(1), 0.1)
    counted = Counter[int]()
    for _ in range(4000):
        node = begin(picker, 0.1)
        counted[servers.index(node)] += 1
        node.in_flight -= 1
        node.picked -= 1  # as if it had never been
    return counted


def test_idle_servers_get_what_the_root_of_their_capacity_says():
    counted = reported([0, 0, 0], [100, 400, 400])
    assert counted[0] / 4000 == pytest.approx(1 / 5, abs=0.03)
    assert counted[1] / 4000 == pytest.approx(2 / 5, abs=0.03)


def test_while_some_are_idle_who_is_not_gets_nothing():
    counted = reported([0, 1, 0], [100, 100, 100])
    assert counted[1] == 0
    assert counted[0] / 4000 == pytest.approx(1 / 2, abs=0.03)


def test_a_fast_server_that_is_busy_is_better_than_a_slow_one_that_is_idle():
    assert reported([1, 0], [900, 100]) == {0: 4000}
