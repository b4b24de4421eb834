"""Laws that every policy keeps, whatever servers there are and whatever they report."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storagebox.balance import Balancer, LoadReport, Outcome
from storagebox.balance.load.peak_ewma import PeakEwma
from storagebox.balance.load.reported import ReportedInFlight
from storagebox.balance.picker import Policy, Prober
from storagebox.balance.picker.aperture import DeterministicAperture
from storagebox.balance.picker.least_expected_wait import LeastExpectedWait
from storagebox.balance.picker.least_request import LeastRequest
from storagebox.balance.picker.power_of_two import PowerOfTwo
from storagebox.balance.picker.prequal import Prequal
from storagebox.balance.picker.rendezvous_bounded import BoundedRendezvous
from storagebox.balance.picker.reported_weights import ReportedWeights
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.picker.smooth import SmoothWeightedRoundRobin
from storagebox.balance.picker.stride import StaticStride
from storagebox.balance.picker.subsetting import Subsetting, random_subset_round_robin
from storagebox.balance.picker.uniform_random import UniformRandom
from storagebox.balance.picker.weighted_random import WeightedRandom
from storagebox.balance.picker.windowed import WindowedRoundRobin
from storagebox.balance.picker.zone_first import ZoneFirst
from storagebox.balance.subset.rocksteadier import Rocksteadier
from tests.balance.served import begin, counts, end, endpoints, nodes

POLICIES: list[Policy] = [
    RoundRobin(),
    WindowedRoundRobin(3),
    WindowedRoundRobin(3, period_s=2.0),
    random_subset_round_robin(3, seed=1),
    Subsetting(Rocksteadier(3, client=4), PowerOfTwo()),
    SmoothWeightedRoundRobin(),
    StaticStride(),
    UniformRandom(),
    WeightedRandom(),
    LeastRequest(),
    LeastRequest(choices=5),
    PowerOfTwo(),
    PowerOfTwo(PeakEwma()),
    PowerOfTwo(ReportedInFlight()),
    Prequal(),
    Prequal(pool=2, probes=4.5),
    ReportedWeights(blackout_s=0.0),
    LeastExpectedWait(blackout_s=0.0),
    LeastExpectedWait(blackout_s=0.0, probes=0.7),
    DeterministicAperture(2, 7),
    DeterministicAperture(2, 7, size=2, measure=PeakEwma()),
    BoundedRendezvous(),
    ZoneFirst("near", PowerOfTwo()),
]
ANY = st.sampled_from(POLICIES)
NUMBER = st.one_of(
    st.none(), st.floats(-1, 5), st.sampled_from([float("nan"), float("inf"), 1e300, 1e-300])
)
REPORT = st.one_of(st.none(), st.builds(LoadReport, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER))
WEIGHTS = st.lists(
    st.one_of(st.none(), st.sampled_from([0.001, 1, 1, 2, 1e6])), min_size=1, max_size=9
)


@settings(max_examples=150)
@given(ANY, WEIGHTS, st.lists(st.tuples(REPORT, st.sampled_from(Outcome)), max_size=12), st.data())
def test_every_pick_is_a_member_whatever_is_reported(
    policy: Policy,
    weights: list[float | None],
    ends: list[tuple[LoadReport | None, Outcome]],
    data: st.DataObject,
):
    servers, random = nodes(policy, weights), Random(1)
    here = servers
    picker = policy.picker(here, None, random, 0.0)
    for i, (report, outcome) in enumerate(ends):
        now = i * 0.7
        if data.draw(st.integers(0, 3)) == 0:
            here = servers[: data.draw(st.integers(1, len(servers)))]
            picker = policy.picker(here, picker, random, now)
        node = begin(picker, now, data.draw(st.sampled_from([None, b"", b"k"])))
        assert node in here
        if isinstance(picker, Prober):
            for probed in picker.probes(now):
                assert probed in here
                picker.probed(probed, report or LoadReport(), now)
        end(policy, node, now, data.draw(st.floats(0, 9)), outcome, report)


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_everybody_gets_requests_that_may_get_any(policy: Policy, n: int):
    servers, random = nodes(policy, n), Random(1)
    used: set[str] = set()
    for i in range(60 * n):
        picker = policy.picker(servers, None, random, i * 1.0)
        node = begin(picker, i * 1.0, b"%d" % i)
        used.add(node.endpoint.id)
        end(policy, node, i * 1.0, 0.1)
    limited = isinstance(policy, Subsetting | DeterministicAperture)
    assert len(used) == n if not limited else len(used) >= min(n, 2)


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_a_balancer_serves_with_it_while_servers_come_and_go(policy: Policy):
    made = Balancer(policy, random=Random(1))
    for i, n in enumerate((3, 1, 2, 40, 3)):
        made.update(endpoints(n), i * 10.0)
        for j in range(20):
            pick = made.pick(i * 10.0 + j / 10, key=b"%d" % j)
            made.probes(i * 10.0 + j / 10)
            pick.done(Outcome.SUCCESS, i * 10.0 + j / 10, LoadReport(in_flight=1))
    assert sum(standing.in_flight for standing in made.standings(60.0)) == 0


WEIGHING: Sequence[Policy] = [
    SmoothWeightedRoundRobin(),
    StaticStride(),
    WeightedRandom(),
    LeastRequest(),
    PowerOfTwo(),
    ReportedWeights(),
    DeterministicAperture(0, 1),
]


@pytest.mark.parametrize("policy", WEIGHING, ids=repr)
@pytest.mark.parametrize("weights", [[1, 3], [1, 1, 4], [2, None, 1, 1]])
def test_idle_servers_are_picked_by_weight(policy: Policy, weights: list[float | None]):
    servers = nodes(policy, weights)
    picker = policy.picker(servers, None, Random(3), 0.0)
    known = [weight for weight in weights if weight is not None]
    each = [sum(known) / len(known) if weight is None else weight for weight in weights]
    expected = [6000 * weight / sum(each) for weight in each]
    assert counts(picker, servers, 6000) == pytest.approx(expected, rel=0.1)


def test_a_policy_is_a_value_that_clients_may_share():
    assert len(set(POLICIES)) == len(POLICIES)
    policy = Prequal()
    one, other = (policy.picker(nodes(policy, 60), None, Random(1), 0.0) for _ in range(2))
    assert isinstance(one, Prober)
    one.pick(0.0, None)
    assert isinstance(other, Prober)
    assert not other.probes(0.0), "what a picker remembers is its own"
