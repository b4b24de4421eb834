"""Choosing by load: the better of two, the least of a few or of all."""

from collections import Counter
from math import exp
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.balance.load.in_flight import InFlight
from storagebox.balance.load.peak_ewma import PeakEwma
from storagebox.balance.load.reported import ReportedInFlight
from storagebox.balance.outcome import LoadReport, Outcome
from storagebox.balance.picker import Measure, Policy
from storagebox.balance.picker.alias import AliasTable
from storagebox.balance.picker.least_request import LeastRequest
from storagebox.balance.picker.power_of_two import PowerOfTwo
from storagebox.balance.picker.uniform_random import UniformRandom
from storagebox.balance.picker.weighted_random import WeightedRandom
from tests.balance.served import begin, counts, end, fresh

NAN = float("nan")
MEASURES = [InFlight(), PeakEwma(), ReportedInFlight()]


def named(value: object) -> str:
    return type(value).__name__


# Chance


def test_uniform_chance_gives_equal_shares():
    picker, servers = fresh(UniformRandom(), [1, 9, None, 1])
    assert counts(picker, servers, 20_000) == pytest.approx([5000] * 4, rel=0.06)


def test_weighted_chance_gives_shares_by_weight():
    picker, servers = fresh(WeightedRandom(), [1, None, 3, 0])
    picked = counts(picker, servers, 24_000)  # unknown: the mean of 1, 3 and 0
    assert picked[3] == 0
    assert picked[:3] == pytest.approx([24_000 * w / 5.333 for w in (1, 4 / 3, 3)], rel=0.06)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20).filter(any))
def test_an_alias_table_holds_each_weight_whole(weights: list[float]):
    n, grid = len(weights), 1000
    at = iter([(column + (i + 0.5) / grid) / n for column in range(n) for i in range(grid)])
    table = AliasTable(weights, lambda: next(at))
    drawn = Counter(table.draw() for _ in range(n * grid))
    for i, weight in enumerate(weights):
        assert drawn[i] / (n * grid) == pytest.approx(weight / sum(weights), abs=2 / grid)
        assert weight or not drawn[i], "what weighs nothing is never drawn"


# Two


@pytest.mark.parametrize("policy", [PowerOfTwo(), LeastRequest(scan=0), LeastRequest()])
def test_of_two_the_idle_one_is_always_picked(policy: Policy):
    picker, servers = fresh(policy, 2)
    servers[0].in_flight = 1
    assert counts(picker, servers, 200) == [0, 200]


def test_two_of_three_are_always_different_ones():
    picker, servers = fresh(PowerOfTwo(), 3)
    servers[0].in_flight = 1
    assert counts(picker, servers, 2000)[0] == 0, "with replacement it would be 1 of 9"


def test_of_many_the_most_loaded_is_never_picked_and_equals_get_equal_shares():
    for policy in (PowerOfTwo(), LeastRequest(), LeastRequest(choices=5)):
        picker, servers = fresh(policy, 11)
        servers[7].in_flight = 3
        picked = counts(picker, servers, 20_000)
        assert picked.pop(7) == 0
        assert picked == pytest.approx([2000] * 10, rel=0.15), policy


@pytest.mark.parametrize("policy", [PowerOfTwo(), LeastRequest()], ids=named)
def test_idle_servers_get_shares_by_weight(policy: Policy):
    picker, servers = fresh(policy, [4, 2, 2])
    assert counts(picker, servers, 8000) == pytest.approx([4000, 2000, 2000], rel=0.15)


@pytest.mark.parametrize("policy", [PowerOfTwo(), LeastRequest()], ids=named)
def test_busy_servers_share_by_weight_what_is_in_flight(policy: Policy):
    picker, servers = fresh(policy, [6, 2, 2, 2])
    for _ in range(240):
        begin(picker)
    assert [node.in_flight for node in servers] == pytest.approx([120, 40, 40, 40], rel=0.35)


def test_a_lower_bias_counts_requests_in_flight_for_less():
    shares: list[int] = []
    for bias in (0.0, 1.0, 2.0):
        picker, servers = fresh(LeastRequest(bias=bias), [2, 2, 1])
        servers[0].in_flight = 4
        shares.append(counts(picker, servers, 6000)[0])
    assert shares[0] == pytest.approx(2400, abs=2)
    assert shares[0] > shares[1] > shares[2] > 0, "it never drains anybody"


def test_a_scan_finds_the_least_loaded_of_all():
    picker, servers = fresh(LeastRequest(scan=50), 40)
    for i, node in enumerate(servers):
        node.in_flight = (i * 7 + 3) % 41
    least = min(servers, key=lambda node: node.in_flight)
    assert {picker.pick(0.0, None) for _ in range(20)} == {least}


@pytest.mark.parametrize("settings", [{"choices": 1}, {"choices": 11}, {"bias": NAN}])
def test_parameters_out_of_range_are_refused(settings: dict[str, float]):
    with pytest.raises(ValueError, match="least request"):
        LeastRequest(**settings)  # pyright: ignore[reportArgumentType]


# Peak EWMA


def test_a_peak_counts_at_once_and_fades():
    measure = PeakEwma(fading_s=10.0)
    policy = PowerOfTwo(measure)
    picker, (node, _) = fresh(policy, 2)
    for now, latency_s in ((0.0, 0.1), (1.0, 2.0)):
        node.in_flight += 1
        end(policy, node, now, latency_s)
    assert measure.load(node, 1.0) == 2.0
    assert measure.load(node, 11.0) == pytest.approx(2.0 / 2.71828, rel=1e-4)
    assert picker is not None


def test_a_server_that_has_not_answered_yet_gets_one_request_and_not_two():
    measure = PeakEwma()
    policy = PowerOfTwo(measure)
    picker, (new, known) = fresh(policy, 2)
    known.in_flight += 1
    end(policy, known, 0.0, 5.0)
    assert begin(picker, 0.1) is new
    assert begin(picker, 0.1) is known


def test_who_gives_up_says_only_that_it_takes_longer():
    measure = PeakEwma()
    policy = PowerOfTwo(measure)
    _, (node, _) = fresh(policy, 2)
    node.in_flight = 3
    end(policy, node, 0.0, 1.0)
    end(policy, node, 0.0, 0.1, Outcome.CANCELLED)
    assert measure.load(node, 0.0) == 2.0, "1 s, one in flight and this one"
    end(policy, node, 0.0, 3.0, Outcome.CANCELLED)
    assert measure.load(node, 0.0) == 3.0


# What servers report


def test_a_report_holds_all_clients_requests_and_one_s_own_since_are_added():
    measure = ReportedInFlight()
    policy = PowerOfTwo(measure)
    picker, servers = fresh(policy, 2)
    for node, rif in zip(servers, (10, 12), strict=True):
        node.in_flight += 1
        end(policy, node, 0.0, report=LoadReport(in_flight=rif))
    for _ in range(40):
        begin(picker, 0.1)
    assert [measure.load(node, 0.1) for node in servers] == [31, 31]


@pytest.mark.parametrize("nonsense", [NAN, -5, float("inf"), None])
def test_a_report_that_says_nothing_sound_is_none(nonsense: float | None):
    measure = ReportedInFlight()
    policy = PowerOfTwo(measure)
    _, (node, _) = fresh(policy, 2)
    node.in_flight = 2
    end(policy, node, 0.0, report=LoadReport(in_flight=nonsense))  # pyright: ignore[reportArgumentType]
    assert measure.load(node, 0.0) == 1


def test_an_old_report_is_none():
    measure = ReportedInFlight(max_age_s=5.0)
    policy = PowerOfTwo(measure)
    _, (node, _) = fresh(policy, 2)
    node.in_flight = 1
    end(policy, node, 0.0, report=LoadReport(in_flight=50))
    assert [measure.load(node, now) for now in (5.0, 5.1)] == [50, 0]


def test_a_server_that_reports_nothing_does_not_look_idle_beside_one_that_does():
    policy = PowerOfTwo(ReportedInFlight())
    picker, (told, untold) = fresh(policy, 2)
    told.in_flight += 1
    end(policy, told, 0.0, report=LoadReport(in_flight=30))
    for _ in range(20):
        begin(picker, 0.1)
    assert (told.in_flight, untold.in_flight) == (10, 10)


# Sinkholing


@pytest.mark.parametrize("measure", MEASURES, ids=named)
@pytest.mark.parametrize("n", [3, 12])
def test_a_server_that_fails_at_once_loses_traffic(measure: Measure, n: int):
    policy = PowerOfTwo(measure)
    picker, servers = fresh(policy, n)
    random = Random(2)
    pending: list[tuple[float, int]] = []
    for i in range(2000):
        now = i * 0.02
        while pending and pending[0][0] <= now:
            end(policy, servers[pending.pop(0)[1]], now, 0.1, report=LoadReport(in_flight=2))
        node = begin(picker, now)
        if node is servers[0]:
            end(policy, node, now, 0.0, Outcome.FAILURE, LoadReport(in_flight=0))
        else:
            pending.append((now + 0.1 + random.random() * 1e-3, servers.index(node)))
            pending.sort()
    assert servers[0].picked < 2000 / n / 2


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.sampled_from(MEASURES))
def test_a_load_is_never_nan(latencies: list[int], measure: Measure):
    policy = PowerOfTwo(measure)
    _, (node, _) = fresh(policy, 2)
    for i, latency_s in enumerate(latencies):
        node.in_flight += 1
        end(policy, node, i, latency_s, Outcome.FAILURE, LoadReport(latency_s=NAN))
        assert measure.load(node, i + 1) >= 0


@given(st.lists(st.sampled_from([0.0, 0.1, 0.3, 1.1, 7.7]), min_size=2, max_size=30).filter(any))
def test_what_weighs_nothing_is_never_drawn_however_weights_are_rounded(weights: list[float]):
    x = 0.0
    table = AliasTable(weights, lambda: x)
    for i in range(len(weights)):
        for within in (0.01, 0.5, 0.99):
            x = (i + within) / len(weights)
            assert weights[table.draw()] > 0


def test_nor_where_the_sum_of_weights_is_beyond_all_numbers():
    random = Random(1)
    table = AliasTable([1e308, 1e308, 0.0], random.random)
    assert {table.draw() for _ in range(100)} == {0, 1}


def test_more_choices_than_servers_are_all_servers():
    policy = LeastRequest(choices=7)
    picker, servers = fresh(policy, 5)
    for node in servers[1:]:
        node.in_flight = 1
    assert {picker.pick(0.0, None) for _ in range(20)} == {servers[0]}


def test_who_gave_up_early_says_nothing():
    policy = PowerOfTwo(PeakEwma(fading_s=10.0))
    _, servers = fresh(policy, 1)
    servers[0].in_flight = 3
    end(policy, servers[0], 0.0, latency_s=1.0)
    for now in (0.1, 0.2):
        end(policy, servers[0], now, latency_s=0.001, outcome=Outcome.CANCELLED)
    assert policy.measure.load(servers[0], 0.2) == pytest.approx(exp(-0.02))


def test_a_server_that_fails_fast_is_no_faster_than_it_was():
    policy = PowerOfTwo(PeakEwma(fading_s=10.0, failure_s=1.0))
    _, servers = fresh(policy, 1)
    servers[0].in_flight = 2
    end(policy, servers[0], 0.0, latency_s=5.0)
    end(policy, servers[0], 2.0, latency_s=0.001, outcome=Outcome.FAILURE)
    assert policy.measure.load(servers[0], 2.0) == pytest.approx(5.0)


def test_one_s_own_requests_are_there_whatever_an_early_report_says():
    policy = PowerOfTwo(ReportedInFlight())
    picker, servers = fresh(policy, 1)
    for _ in range(4):
        begin(picker)
    end(policy, servers[0], 0.1, report=LoadReport(in_flight=0))
    assert policy.measure.load(servers[0], 0.1) == 3
