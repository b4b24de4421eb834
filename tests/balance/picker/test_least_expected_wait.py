"""Least expected wait: by what servers tell, and by less where they tell less."""

from collections.abc import Sequence
from math import comb
from random import Random

import pytest

from storagebox.balance import LoadReport, Outcome
from storagebox.balance.experiment.scenario import Contender, Scenario
from storagebox.balance.experiment.stage import run
from storagebox.balance.experiment.summary import summarise
from storagebox.balance.load.reported import ReportedInFlight
from storagebox.balance.node import Node
from storagebox.balance.picker import Policy, Prober
from storagebox.balance.picker.least_expected_wait import LeastExpectedWait
from storagebox.balance.picker.power_of_two import PowerOfTwo
from storagebox.balance.picker.prequal import Prequal
from tests.balance.served import begin, counts, end, fresh, nodes, tell


def told_lew(
    rif: Sequence[int | None], used: Sequence[float | None], **settings: float
) -> tuple[list[Node], LeastExpectedWait]:
    policy = LeastExpectedWait(blackout_s=0, **settings)  # pyright: ignore[reportArgumentType]
    servers = nodes(policy, len(rif))
    reports = [
        LoadReport(in_flight=count, utilisation=share, requests_per_s=share and 100)
        for count, share in zip(rif, used, strict=True)
    ]
    tell(policy, servers, 0.0, *reports)
    return servers, policy


def test_a_request_goes_where_it_waits_least():
    servers, policy = told_lew([5, 3, 4], [0.25, 0.5, 0.5], bias=1)  # 400, 200 and 200 a second
    picker = policy.picker(servers, None, Random(1), 0.1)
    waits = [6 / 400, 4 / 200, 5 / 200]
    assert picker.pick(0.1, None) is servers[waits.index(min(waits))]


def test_less_bias_weighs_requests_in_flight_more():
    for bias, best in ((0, 1), (0.5, 1), (1, 0)):
        servers, policy = told_lew([5, 3, 4], [0.25, 0.5, 0.5], bias=bias)
        picker = policy.picker(servers, None, Random(1), 0.1)
        assert picker.pick(0.1, None) is servers[best]


def test_unequal_servers_wait_less_than_by_requests_in_flight_and_are_used_more_evenly():
    scenario = Scenario(clients=30, speeds=[0.5] * 4 + [1.0] * 8, requests=16_000)
    wait, in_flight = (
        summarise(run(scenario, contender, 1), scenario.service_s, scenario.deadline_s)
        for contender in (
            Contender("wait", lambda _client, _random: LeastExpectedWait()),
            Contender("in flight", lambda _client, _random: PowerOfTwo(ReportedInFlight())),
        )
    )
    assert wait["p99"] < 9.5 < in_flight["p99"]
    assert wait["max_over_mean"] < 1.11 < in_flight["max_over_mean"]


def test_own_requests_since_the_report_are_added():
    servers, policy = told_lew([5, 5, 5], [0.5, 0.5, 0.25], bias=1)
    picker = policy.picker(servers, None, Random(1), 0.1)
    for _ in range(45):
        begin(picker, 0.1)
    assert [node.in_flight for node in servers] == pytest.approx([10, 10, 25], abs=1)


def test_without_reports_it_is_one_s_own_count_over_configured_weights():
    policy = LeastExpectedWait()
    servers = nodes(policy, [1, 1, 2])
    picker = policy.picker(servers, None, Random(1), 0.0)
    for _ in range(40):
        begin(picker)
    assert [node.in_flight for node in servers] == pytest.approx([10, 10, 20], abs=1)


def test_who_tells_nothing_is_compared_by_one_s_own_count():
    servers, policy = told_lew([50, None, 50], [None, None, None])
    picker = policy.picker(servers, None, Random(1), 0.1)
    for _ in range(30):
        begin(picker, 0.1)
    assert [node.in_flight for node in servers] == [10, 10, 10]


def test_of_many_it_draws_some_that_all_differ():
    policy = LeastExpectedWait()
    picker, servers = fresh(policy, 40)
    for node in servers[2:]:
        node.in_flight = 5
    picked = counts(picker, servers, 8000)
    at_least_one_idle = 1 - comb(38, 6) / comb(40, 6)
    assert sum(picked[:2]) / 8000 == pytest.approx(at_least_one_idle, rel=0.15)


def test_probes_bring_fresher_reports():
    servers, policy = told_lew([9, 2, 3], [0.5, 0.5, 0.5], probes=1)
    picker = policy.picker(servers, None, Random(1), 0.1)
    assert isinstance(picker, Prober)
    assert picker.pick(0.1, None) is servers[1]
    assert len(picker.probes(0.1)) == 1
    picker.probed(servers[0], LoadReport(in_flight=0), 0.1)
    assert picker.pick(0.1, None) is servers[0]


@pytest.mark.parametrize("n", [3, 12])
@pytest.mark.parametrize(
    "policy", [LeastExpectedWait(), LeastExpectedWait(probes=1), Prequal()], ids=repr
)
def test_a_server_that_fails_at_once_loses_its_traffic(policy: Policy, n: int):
    servers = nodes(policy, n)
    picker = policy.picker(servers, None, Random(1), 0.0)
    pending: list[tuple[float, int]] = []
    idle = LoadReport(in_flight=0, utilisation=0.001, requests_per_s=50, latency_s=1e-4)
    busy = LoadReport(in_flight=2, utilisation=0.5, requests_per_s=50, latency_s=0.1)
    for i in range(2000):
        now = i * 0.02
        if policy.refresh_s is not None and i % 50 == 0:
            picker = policy.picker(servers, picker, Random(i), now)
        while pending and pending[0][0] <= now:
            end(policy, servers[pending.pop(0)[1]], now, 0.1, report=busy)
        if isinstance(picker, Prober):
            for node in picker.probes(now):
                picker.probed(node, idle if node is servers[0] else busy, now)
        node = begin(picker, now)
        if node is servers[0]:
            end(policy, node, now, 0.0, Outcome.FAILURE, idle)
        else:
            pending.append((now + 0.1, servers.index(node)))
    assert servers[0].picked < 2000 / n / 2


@pytest.mark.parametrize("wrong", [{"choices": 1}, {"bias": -0.1}, {"bias": 2}, {"probes": -1}])
def test_waits_with_parameters_out_of_range_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="least expected wait"):
        LeastExpectedWait(**wrong)  # pyright: ignore[reportArgumentType]


def test_failing_is_no_work_and_makes_nobody_look_capable():
    servers, policy = told_lew([0, 1, 1], [0.01, 0.5, 0.5])  # 10,000 and 200 a second
    begun = servers[0]
    begun.began(0.1)
    end(policy, begun, 0.1, outcome=Outcome.FAILURE)
    picker = policy.picker(servers, None, Random(1), 0.1)
    begin(picker, 0.1)
    assert {picker.pick(0.1, None) for _ in range(20)} != {servers[0]}


def test_who_looked_busy_half_a_minute_ago_is_compared_by_one_s_own_count():
    servers, policy = told_lew([50, 0, 0], [None, None, None])
    picker = policy.picker(servers, None, Random(1), 0.0)
    assert servers[0] not in {picker.pick(29.0, None) for _ in range(60)}
    assert servers[0] in {picker.pick(31.0, None) for _ in range(60)}


def test_a_report_from_before_one_s_own_requests_arrived_makes_nobody_idle():
    servers, policy = told_lew([0, 0, 0], [None, None, None], probes=1)
    picker = policy.picker(servers, None, Random(1), 0.0)
    assert isinstance(picker, Prober)
    servers[0].in_flight = servers[0].picked = 3
    picker.probed(servers[0], LoadReport(in_flight=0), 0.1)
    assert servers[0] not in {picker.pick(0.1, None) for _ in range(60)}
