"""Policies that go by what servers tell: weights learnt, and Prequal."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.balance import Balancer, Endpoint, LoadReport
from storagebox.balance.load.capacity import Capacity
from storagebox.balance.node import Node
from storagebox.balance.picker import Prober
from storagebox.balance.picker.least_expected_wait import LeastExpectedWait
from storagebox.balance.picker.prequal import EveryReplica, Pooled, Prequal, threshold
from storagebox.balance.picker.probe_responses import coldest
from storagebox.balance.picker.reported_weights import ReportedWeights
from storagebox.balance.picker.weights import shares
from tests.balance.served import counts, endpoints, fresh, nodes, tell

NAN = float("nan")


def using(*used: tuple[float, float]) -> list[LoadReport]:
    """Reports of (requests a second, utilisation)."""
    return [LoadReport(utilisation=share, requests_per_s=per_s) for per_s, share in used]


# Weights learnt (gRPC A58)


def test_weights_are_requests_over_utilisation():
    policy = ReportedWeights(blackout_s=0)
    servers = nodes(policy, 3)
    tell(policy, servers, 0.0, *using((100, 0.1), (100, 0.2), (100, 0.4)))
    picker = policy.picker(servers, None, Random(1), 0.0)
    assert counts(picker, servers, 600) == pytest.approx([343, 171, 86], abs=3)


def test_errors_count_as_use():
    policy = ReportedWeights(blackout_s=0)
    servers = nodes(policy, 2)
    well = LoadReport(utilisation=0.5, requests_per_s=100, errors_per_s=0)
    failing = LoadReport(utilisation=0.5, requests_per_s=100, errors_per_s=50)
    tell(policy, servers, 0.0, well, failing)
    picker = policy.picker(servers, None, Random(1), 0.0)
    assert counts(picker, servers, 300) == pytest.approx([200, 100], abs=2)


def test_who_tells_nothing_weighs_the_mean():
    policy = ReportedWeights(blackout_s=0)
    servers = nodes(policy, 3)
    tell(policy, servers[:2], 0.0, *using((100, 0.25), (100, 0.5)))
    picker = policy.picker(servers, None, Random(1), 0.0)
    assert counts(picker, servers, 900) == pytest.approx([400, 200, 300], abs=3)


def test_a_weight_is_believed_after_a_blackout_and_until_it_expires():
    policy = ReportedWeights(blackout_s=10, expiry_s=180)
    servers = nodes(policy, 2)
    shares: dict[float, list[int]] = {}
    for now in (0.0, 9.9, 10.0, 189.0, 190.0):
        if now in (0.0, 10.0):
            tell(policy, servers, now, *using((100, 0.2), (100, 0.4)))
        shares[now] = counts(policy.picker(servers, None, Random(1), now), servers, 300, now)
    assert shares[9.9] == shares[190.0] == [150, 150]
    assert shares[10.0] == shares[189.0] == pytest.approx([200, 100], abs=2)


def test_until_two_are_known_configured_weights_count():
    policy = ReportedWeights(blackout_s=0)
    servers = nodes(policy, [3, 1])
    tell(policy, servers[:1], 0.0, *using((100, 0.1)))
    picker = policy.picker(servers, None, Random(1), 0.0)
    assert counts(picker, servers, 400) == pytest.approx([300, 100], abs=2)


def test_slow_start_leaves_its_share_of_what_was_learnt():
    policy = ReportedWeights(blackout_s=0)
    servers = nodes(policy, [4, 1])
    tell(policy, servers, 0.0, *using((100, 0.5), (100, 0.5)))
    servers[0].weight = 1  # a quarter of its 4
    picker = policy.picker(servers, None, Random(1), 0.0)
    assert counts(picker, servers, 500) == pytest.approx([100, 400], abs=2)


@pytest.mark.parametrize(
    "report",
    [
        LoadReport(),
        LoadReport(utilisation=NAN, requests_per_s=100),
        LoadReport(utilisation=0.5, requests_per_s=NAN),
        LoadReport(utilisation=0, requests_per_s=100),
        LoadReport(utilisation=-1, requests_per_s=100),
        LoadReport(utilisation=0.5, requests_per_s=0),
    ],
)
def test_a_report_without_a_sound_capacity_teaches_nothing(report: LoadReport):
    policy = ReportedWeights(blackout_s=0)
    servers = nodes(policy, 2)
    tell(policy, servers, 0.0, report, report)
    picker = policy.picker(servers, None, Random(1), 0.0)
    assert counts(picker, servers, 100) == [50, 50]


def test_nobody_is_believed_to_be_beyond_ten_times_the_median():
    policy = ReportedWeights(blackout_s=0)
    servers = nodes(policy, 4)
    tell(policy, servers, 0.0, *using((100, 1e-9), (100, 0.5), (100, 0.5), (1e-9, 0.5)))
    picker = policy.picker(servers, None, Random(1), 0.0)
    picked = counts(picker, servers, 12_100)
    assert picked == pytest.approx([10_000, 1000, 1000, 100], abs=10)


def test_a_refresh_counts_on():
    policy = ReportedWeights(blackout_s=0)
    servers, random = nodes(policy, 3), Random(1)
    tell(policy, servers, 0.0, *using((100, 0.2), (100, 0.4), (100, 0.4)))
    picker, total = None, [0, 0, 0]
    for i in range(400):
        picker = policy.picker(servers, picker, random, i * 0.1)
        total = [a + b for a, b in zip(total, counts(picker, servers, 1), strict=True)]
    assert total == pytest.approx([200, 100, 100], abs=3), "at random it would be within 20"


# Prequal


TOLD = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 99)), min_size=2, max_size=16)
"""ProbeResponses: requests in flight, and a latency."""


@given(TOLD, st.floats(0, 1))
def test_while_anybody_is_cold_the_pick_is_cold_and_nobody_cold_is_faster(
    told: list[tuple[int, int]], quantile: float
):
    rifs, latencies_s = [rif for rif, _ in told], [latency for _, latency in told]
    limit = threshold(rifs, quantile)
    cold = [each for each in told if each[0] <= limit]
    pick = told[coldest(rifs, latencies_s, limit)]
    if cold:
        fastest = min(latency for _, latency in cold)
        assert pick == min(each for each in cold if each[1] == fastest), "the least loaded of them"
    else:
        assert pick[0] == min(rifs)


@given(TOLD, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_quantile_never_makes_fewer_cold(
    told: list[tuple[int, int]], one: float, other: float
):
    rifs = [rif for rif, _ in told]
    assert threshold(rifs, min(one, other)) <= threshold(rifs, max(one, other))


def test_of_three_the_most_loaded_can_be_hot():
    assert threshold([1, 5, 9], 2**-0.25) == 5


def test_at_quantile_0_the_fewest_requests_in_flight_win():
    assert coldest([3, 1, 2], [0.1, 9.0, 0.2], threshold([3, 1, 2], 0.0)) == 1


@pytest.mark.parametrize("n", [3, 30])
def test_a_latency_that_is_not_told_is_neither_fast_nor_slow(n: int):
    picker, servers = fresh(Prequal(removals=0.0), n)
    assert isinstance(picker, Prober)
    for node, latency_s in zip(servers, (None, 0.1, 0.3), strict=False):
        picker.probed(node, LoadReport(in_flight=1, latency_s=latency_s), 0.0)
    assert picker.pick(0.0, None) is servers[1]
    picker.probed(servers[1], LoadReport(in_flight=1, latency_s=0.4), 0.1)
    assert picker.pick(0.1, None) is servers[2], "untold is 0.35"
    picker.probed(servers[1], LoadReport(in_flight=9, latency_s=0.1), 0.2)
    assert picker.pick(0.2, None) is servers[0], "of the cold, untold is 0.2"


def test_answers_are_reused_as_the_paper_s_formula_says():
    expected = {25: 25, 30: 5.0, 50: 1.923, 100: 1.316}
    assert {n: Prequal().reuse(n) for n in expected} == {
        n: pytest.approx(uses, rel=0.01) for n, uses in expected.items()
    }
    assert [Prequal().reuse(n) for n in (3, 12, 24)] == [None] * 3


@pytest.mark.parametrize(("n", "kind"), [(3, EveryReplica), (24, EveryReplica), (25, Pooled)])
def test_few_servers_are_all_asked(n: int, kind: type):
    picker, _ = fresh(Prequal(), n)
    assert type(picker) is kind
    assert isinstance(picker, Prober)


@pytest.mark.parametrize(("rate", "picks", "asked"), [(3.0, 4, 12), (0.5, 4, 2), (0.25, 3, 0)])
def test_probes_go_to_different_servers_and_fractions_add_up(rate: float, picks: int, asked: int):
    picker, _ = fresh(Prequal(probes=rate), 30)
    assert isinstance(picker, Prober)
    for _ in range(picks):
        picker.pick(0.0, None)
    due = picker.probes(0.0)
    assert len(set(due)) == len(due) == asked
    assert not picker.probes(0.0), "once"


def probing(policy: Prequal, n: int, picks: int, slow: int = 0) -> tuple[Pooled, list[Node]]:
    """Picks whose probes are answered: all alike, but one that is slow and loaded."""
    picker, servers = fresh(policy, n)
    assert isinstance(picker, Pooled)
    for i in range(picks):
        now = i * 0.01
        picker.pick(now, None)
        for node in picker.probes(now):
            loaded = node is servers[slow]
            picker.probed(node, LoadReport(in_flight=9 if loaded else 2, latency_s=0.1), now)
    return picker, servers


def owners(picker: Pooled, servers: Sequence[Node]) -> list[int]:
    """Whose answers are in the pool, the oldest first."""
    return [servers.index(node) for node, _, _ in picker.pool.about]


def test_a_pool_keeps_its_bounds_and_a_server_has_one_answer():
    picker, servers = probing(Prequal(), 50, 200)
    assert 2 <= len(picker.pool.about) <= 16
    assert len(set(owners(picker, servers))) == len(picker.pool.about)
    assert all(uses <= 2 for _, _, uses in picker.pool.about)


@pytest.mark.parametrize("uses", [1.0, 1.3, 2.6])
def test_an_answer_is_good_for_so_many_picks_on_average(uses: float):
    policy = Prequal(removals=0.0, gain=uses * (1 - 16 / 60) * 3 - 1)
    assert policy.reuse(60) == pytest.approx(uses)
    picker, servers = fresh(policy, 60)
    assert isinstance(picker, Pooled)
    picks = 0
    for _ in range(1000):
        picker.probed(servers[0], LoadReport(in_flight=0, latency_s=0.1), 0.0)
        picker.probed(servers[1], LoadReport(in_flight=9, latency_s=0.1), 0.0)
        while len(picker.pool.about) > 1:
            assert picker.pick(0.0, None) is servers[0]
            picks += 1
    assert picks / 1000 == pytest.approx(uses, abs=0.05)


def test_a_pick_is_charged_to_its_answer():
    picker, servers = fresh(Prequal(removals=0.0, gain=20.0), 60)
    assert isinstance(picker, Pooled)
    for node, rif in zip(servers[:3], (1, 1, 9), strict=True):
        picker.probed(node, LoadReport(in_flight=rif, latency_s=0.1), 0.0)
    picked = [servers.index(picker.pick(0.0, None)) for _ in range(6)]
    assert sorted(picked) == [0, 0, 0, 1, 1, 1]


def test_old_answers_inform_no_pick():
    picker, servers = fresh(Prequal(max_age_s=1.0), 60)
    assert isinstance(picker, Pooled)
    for node in servers[:8]:
        picker.probed(node, LoadReport(in_flight=0, latency_s=0.1), 0.0)
    assert {servers.index(picker.pick(1.1, None)) < 8 for _ in range(40)} == {True, False}
    assert not picker.pool.about


def test_a_server_that_has_left_is_not_picked_by_its_answer():
    policy = Prequal()
    picker, servers = probing(policy, 60, 100)
    stay = owners(picker, servers)[1:]
    rest = [node for at, node in enumerate(servers) if at != owners(picker, servers)[0]]
    after = policy.picker(rest, picker, Random(1), 1.0)
    assert isinstance(after, Pooled)
    assert owners(after, servers) == stay


def test_the_oldest_and_the_worst_leave_the_pool_in_turn():
    picker, servers = fresh(Prequal(gain=20.0), 100)
    assert isinstance(picker, Pooled)
    for node, rif in zip(servers, (3, 1, 3, 9, 3, 3, 3, 3), strict=False):
        picker.probed(node, LoadReport(in_flight=rif, latency_s=rif / 10), 0.0)
    left: list[list[int]] = []
    for _ in range(3):
        assert picker.pick(0.0, None) is servers[1], "the good would be used up, the bad stay"
        left.append(owners(picker, servers))
    assert left == [[1, 2, 3, 4, 5, 6, 7], [1, 2, 4, 5, 6, 7], [2, 4, 5, 6, 7]]


def test_three_servers_are_compared_by_their_last_answers():
    picker, servers = fresh(Prequal(), 3)
    assert isinstance(picker, EveryReplica)
    for node, rif, latency_s in zip(servers, (2, 2, 9), (0.3, 0.1, 0.01), strict=True):
        picker.probed(node, LoadReport(in_flight=99, latency_s=9.0), 0.0)
        picker.probed(node, LoadReport(in_flight=rif, latency_s=latency_s), 0.1)
    assert picker.pick(0.2, None) is servers[1], "the fastest of the cold"
    assert len({picker.pick(1.2, None) for _ in range(60)}) == 3, "too old, so at random"


def test_a_balancer_tells_whom_to_probe_and_takes_what_they_answer():
    made = Balancer(Prequal(), random=Random(1))
    made.update(endpoints(3), 0.0)
    assert made.probes(0.0) == []
    made.pick(0.0)
    due = made.probes(0.0)
    assert {endpoint.id for endpoint in due} == {endpoint.id for endpoint in endpoints(3)}
    for endpoint in due:
        made.probed(endpoint, LoadReport(in_flight=endpoint != due[1], latency_s=0.1), 0.0)
    made.probed(Endpoint("gone", 80), LoadReport(in_flight=0), 0.0)
    assert made.pick(0.0).endpoint == due[1]


def test_a_policy_that_probes_nobody_has_nobody_to_probe():
    made = Balancer(LeastExpectedWait())
    made.update(endpoints(3), 0.0)
    made.pick(0.0)
    assert made.probes(0.0) == []
    made.probed(endpoints(3)[0], LoadReport(in_flight=3), 0.0)


def test_a_capacity_is_at_first_the_mean_of_its_reports_and_then_their_moving_one():
    capacity = Capacity()
    for now, per_s in ((0.0, 100), (1.0, 200), (2.0, 300)):
        capacity.take(LoadReport(utilisation=1.0, requests_per_s=per_s), 1.0, now, 5.0)
    assert capacity.per_s == pytest.approx(250), "each counts for the time before it"
    capacity.take(LoadReport(utilisation=1.0, requests_per_s=850), 1.0, 102.0, 5.0)
    assert capacity.per_s == pytest.approx(250 + 600 * 100 / 102, rel=0.03)


def test_what_slow_start_leaves_of_unknown_weights_is_of_the_mean_of_those_known():
    servers = nodes(ReportedWeights(), [None, 4.0, 4.0])
    for node, weight in zip(servers, (0.4, 4.0, 2.0), strict=True):
        node.weight = weight
    assert shares(servers) == pytest.approx([0.1, 1.0, 0.5])
