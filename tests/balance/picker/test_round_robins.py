"""In turn: over all, over a window, and by weight."""

from collections import Counter
from itertools import pairwise
from math import gcd
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.balance import Endpoint, Outcome
from storagebox.balance.node import Node
from storagebox.balance.picker import Policy
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.picker.smooth import Credits, Deadlines, SmoothWeightedRoundRobin
from storagebox.balance.picker.stride import StaticStride, Strides
from storagebox.balance.picker.subsetting import random_subset_round_robin
from storagebox.balance.picker.uniform_random import UniformRandom
from storagebox.balance.picker.weights import relative
from storagebox.balance.picker.windowed import WindowedRoundRobin
from tests.balance.seen import Seen
from tests.balance.served import counts, fresh, nodes

WEIGHTS = st.lists(st.integers(1, 12), min_size=1, max_size=8)


def named(picked: list[Node], servers: list[Node]) -> str:
    return "".join("abcdefgh"[servers.index(node)] for node in picked)


# Weights


def test_a_weight_nobody_knows_is_the_mean_of_those_known():
    assert relative(nodes(RoundRobin(), [1, None, 3])) == [1, 2, 3]
    assert relative(nodes(RoundRobin(), [None, None])) == [1, 1]


def test_a_weight_of_0_is_known_and_stays_0():
    assert relative(nodes(RoundRobin(), [0, 4, None])) == [0, 4, 2]
    assert relative(nodes(RoundRobin(), [0, 0])) == [1, 1], "somebody has to be picked"


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), -1.0])
def test_a_weight_that_is_none_counts_as_unknown(nonsense: float):
    servers = nodes(RoundRobin(), [1, 3, 1])
    servers[2].weight = nonsense
    assert relative(servers) == [1, 3, 2]


@pytest.mark.parametrize("policy", [SmoothWeightedRoundRobin(), StaticStride()])
def test_what_weighs_nothing_is_never_picked(policy: Policy):
    picker, servers = fresh(policy, [0, 1, 2])
    picked = counts(picker, servers, 3000)
    assert picked[0] == 0
    assert picked[1] == pytest.approx(1000, abs=2)


# Who is to be spared

SPARING: list[Policy] = [RoundRobin(), UniformRandom(), WindowedRoundRobin(4)]


def spared(policy: Policy, said: list[float | None], left: list[float]) -> list[Node]:
    """Servers of these weights, of which slow start and the like leave these shares."""
    servers = nodes(policy, said)
    for node, share in zip(servers, left, strict=True):
        node.weight = (1.0 if node.endpoint.weight is None else node.endpoint.weight) * share
    return servers


@pytest.mark.parametrize("policy", SPARING, ids=repr)
@pytest.mark.parametrize("said", [[None] * 4, [1.0, 9.0, 2.0, 1.0]], ids=str)
def test_without_weights_too_who_starts_slowly_gets_its_share_of_a_turn(
    policy: Policy, said: list[float | None]
):
    servers = spared(policy, said, [1.0, 0.1, 1.0, 0.5])
    picker = policy.picker(servers, None, Random(1), 0.0)
    picked = counts(picker, servers, 13_000)
    assert picked == pytest.approx([5000, 500, 5000, 2500], rel=0.12)


def test_round_robin_spares_exactly_and_spreads_what_it_leaves():
    servers = spared(RoundRobin(), [None] * 3, [1.0, 0.25, 1.0])
    picker = RoundRobin().picker(servers, None, Random(1), 0.0)
    picked = [servers.index(picker.pick(0.0, None)) for _ in range(900)]
    assert [picked.count(server) for server in range(3)] == [400, 100, 400]
    at = [i for i, server in enumerate(picked) if server == 1]
    assert {after - before for before, after in pairwise(at)} == {9}


@pytest.mark.parametrize("policy", SPARING, ids=repr)
def test_clients_of_few_requests_spare_as_well_as_those_of_many(policy: Policy):
    """A new picker for each pick, as where weights change more often than requests come."""
    servers = spared(policy, [None] * 4, [1.0, 0.1, 1.0, 0.5])
    random, picker = Random(1), None
    picked = Counter[str]()
    for _ in range(6500):
        picker = policy.picker(servers, picker, random, 0.0)
        picked[picker.pick(0.0, None).endpoint.id] += 1
    assert 0.015 < picked[servers[1].endpoint.id] / 6500 < 0.1, "a quarter without"


@pytest.mark.parametrize("policy", [StaticStride(), SmoothWeightedRoundRobin()], ids=repr)
def test_who_is_spared_by_weight_is_not_spared_twice(policy: Policy):
    servers = spared(policy, [2.0, 1.0, 1.0], [0.5, 1.0, 1.0])
    picked = counts(policy.picker(servers, None, Random(1), 0.0), servers, 3000)
    assert picked == pytest.approx([1000] * 3, abs=1)


@pytest.mark.parametrize("policy", SPARING, ids=repr)
def test_where_all_are_spared_alike_nobody_is(policy: Policy):
    servers = spared(policy, [None] * 4, [0.1] * 4)
    picked = counts(policy.picker(servers, None, Random(1), 0.0), servers, 4000)
    assert picked == pytest.approx([1000] * 4, rel=0.12)


def test_slow_start_counts_in_round_robin_as_it_grows():
    made = Seen(3)
    made.update([*made.members, Endpoint("10.0.0.9", 80)])

    def share() -> float:
        picks = [made.pick() for _ in range(620)]
        for pick in picks:
            made.end(pick, Outcome.SUCCESS)
        return sum(pick.endpoint.host == "10.0.0.9" for pick in picks) / len(picks)

    grown: list[float] = []
    for made.now in (0.0, 5.0, 10.0):
        grown.append(share())
    assert grown == pytest.approx([0.1 / 3.1, 0.5 / 3.5, 1 / 4], abs=0.01)


# In turn


@given(st.integers(1, 9), st.integers(0, 100))
def test_round_robin_gives_each_as_many_in_any_cycle(n: int, skip: int):
    picker, servers = fresh(RoundRobin(), n, seed=skip)
    counts(picker, servers, skip)
    assert counts(picker, servers, 3 * n) == [3] * n


@pytest.mark.parametrize(
    "policy",
    [
        RoundRobin(),
        WindowedRoundRobin(3),
        WindowedRoundRobin(3, period_s=20.0),
        random_subset_round_robin(3),
        SmoothWeightedRoundRobin(),
        StaticStride(),
    ],
    ids=lambda policy: type(policy).__name__,
)
@pytest.mark.parametrize("weights", [[None] * 12, [5.0] + [1.0] * 11])
def test_clients_start_at_different_servers(policy: Policy, weights: list[float | None]):
    first: Counter[str] = Counter()
    servers = nodes(policy, weights)
    for client in range(240):
        policy = random_subset_round_robin(3, client) if hasattr(policy, "subset") else policy
        first[policy.picker(servers, None, Random(client), 0.0).pick(0.0, None).endpoint.id] += 1
    assert len(first) == 12
    assert max(first.values()) < 240 * 0.42, "the heaviest has 5 of 16, the others 1"


def test_a_rebuilt_round_robin_starts_anew():
    policy, random = RoundRobin(), Random(1)
    servers = nodes(policy, 6)
    starts: set[str] = set()
    picker = policy.picker(servers, None, random, 0.0)
    for _ in range(60):
        picker = policy.picker(servers, picker, random, 0.0)
        starts.add(picker.pick(0.0, None).endpoint.id)
    assert len(starts) == 6


# Windows


def test_a_window_that_stays_has_its_neighbours_only():
    picker, servers = fresh(WindowedRoundRobin(3), 12)
    picked = counts(picker, servers, 30, now=1e6)
    start = next(i for i in range(12) if picked[i] and not picked[i - 1])
    assert [picked[(start + i) % 12] for i in range(12)] == [10] * 3 + [0] * 9


def test_a_window_slides_by_one_server_a_period():
    picker, servers = fresh(WindowedRoundRobin(3, period_s=20.0), 12)
    windows = [
        {i for i, n in enumerate(counts(picker, servers, 3, now)) if n} for now in (0, 19.9, 20)
    ]
    assert windows[0] == windows[1]
    assert windows[2] == {(i + 1) % 12 for i in windows[0]}


def test_a_sliding_window_is_even_in_the_long_run():
    picker, servers = fresh(WindowedRoundRobin(3, period_s=1.0), 12)
    total = [0] * 12
    for now in range(24):
        total = [
            sum(pair) for pair in zip(total, counts(picker, servers, 6, float(now)), strict=True)
        ]
    assert total == [12] * 12


@given(st.integers(4, 30), st.integers(0, 1000))
def test_a_join_moves_a_window_by_two_servers_at_most(n: int, seed: int):
    policy = WindowedRoundRobin(3)
    servers, random = nodes(policy, n + 1), Random(seed)
    before = policy.picker(servers[:n], None, random, 0.0)
    after = policy.picker(servers, before, random, 0.0)
    old, new = ({p.pick(0.0, None).endpoint.id for _ in range(3)} for p in (before, after))
    assert len(new - old) <= 2


def test_the_order_is_shared_so_fixed_windows_are_as_uneven_as_chance():
    policy, clients, n, size = WindowedRoundRobin(5), 100, 100, 5
    servers = nodes(policy, n)
    cvs: list[float] = []
    for seed in range(5):
        connections: Counter[str] = Counter()
        for client in range(clients):
            picker = policy.picker(servers, None, Random(seed * 1000 + client), 0.0)
            connections.update({picker.pick(0.0, None).endpoint.id for _ in range(size)})
        each = [connections[node.endpoint.id] for node in servers]
        cvs.append((sum((c - size) ** 2 for c in each) / n) ** 0.5 / size)
    assert sum(cvs) / len(cvs) == pytest.approx(0.443, abs=0.05)


# By weight


@pytest.mark.parametrize(
    ("weights", "order"),
    [([5, 1, 1], "aabacaa"), ([3, 2, 1], "abacba"), ([5.0, 1.0, 1.0], "aabacaa"), ([2], "a")],
)
def test_smooth_weighted_round_robin_has_nginx_s_order(weights: list[float], order: str):
    servers = nodes(RoundRobin(), weights)
    picker = Credits(servers, weights)
    assert named([picker.pick(0.0, None) for _ in order], servers) == order


def nginx(weights: list[int], picks: int) -> list[int]:
    credit = [0] * len(weights)
    picked: list[int] = []
    for _ in range(picks):
        credit = [c + w for c, w in zip(credit, weights, strict=True)]
        best = credit.index(max(credit))
        credit[best] -= sum(weights)
        picked.append(best)
    return picked


@given(WEIGHTS)
def test_a_heap_for_each_weight_picks_as_one_pass_over_all_does(weights: list[int]):
    servers = nodes(RoundRobin(), weights)
    picker = Credits(servers, weights)
    picked = [servers.index(picker.pick(0.0, None)) for _ in range(60)]
    assert picked == nginx(weights, 60)


@given(WEIGHTS, st.integers(0, 1000))
def test_smooth_counts_are_exact_over_the_sum_of_weights_from_any_start(
    weights: list[int], seed: int
):
    picker, servers = fresh(SmoothWeightedRoundRobin(), weights, seed)
    counts(picker, servers, seed % 17)
    assert counts(picker, servers, sum(weights)) == weights


@given(WEIGHTS, st.integers(0, 1000))
def test_deadlines_give_exact_counts_over_the_sum_of_weights(weights: list[int], seed: int):
    servers = nodes(RoundRobin(), weights)
    picker = Deadlines(servers, weights, Random(seed))
    counts(picker, servers, seed % 17)
    assert counts(picker, servers, sum(weights)) == pytest.approx(weights, abs=1)


def test_many_distinct_weights_are_counted_all_the_same():
    weights = [1 + i for i in range(100)]
    picker, servers = fresh(SmoothWeightedRoundRobin(), weights)
    assert counts(picker, servers, 10 * sum(weights)) == pytest.approx(
        [10 * weight for weight in weights], abs=1
    )


def strides_of_the_specification(weights: list[int], picks: int) -> list[int]:
    scaled = [round(65535 / max(weights) * weight) for weight in weights]
    picked: list[int] = []
    sequence = 0
    while len(picked) < picks:
        i, generation = sequence % len(scaled), sequence // len(scaled)
        sequence += 1
        if (scaled[i] * generation + i * 32767) % 65535 >= 65535 - scaled[i]:
            picked.append(i)
    return picked


@given(st.lists(st.integers(1, 100), min_size=2, max_size=8))
def test_strides_are_those_of_the_specification(weights: list[int]):
    servers = nodes(RoundRobin(), weights)
    scaled = [round(65535 / max(weights) * weight) for weight in weights]
    picker = Strides(servers, scaled, 0)
    picked = [servers.index(picker.pick(0.0, None)) for _ in range(100)]
    assert picked == strides_of_the_specification(weights, 100)


def test_strides_split_by_weight():
    picker, servers = fresh(StaticStride(), [100, 1, 1])
    assert counts(picker, servers, 1020) == pytest.approx([1000, 10, 10], abs=2)


@given(WEIGHTS, st.integers(0, 1000))
def test_strides_are_never_far_from_their_shares(weights: list[int], seed: int):
    picker, servers = fresh(StaticStride(), weights, seed)
    cycle = sum(weights) // gcd(*weights)
    assert counts(picker, servers, 5 * cycle) == pytest.approx(
        [5 * cycle * weight / sum(weights) for weight in weights], abs=len(weights)
    )


def test_clients_break_ties_each_in_an_order_of_its_own():
    following: set[str] = set()
    for seed in range(30):
        picker, servers = fresh(SmoothWeightedRoundRobin(), [1, 1, 1, 1], seed)
        picked = named([picker.pick(0.0, None) for _ in range(8)], servers)
        following.add(picked[picked.index("a") + 1])
    assert following == {"b", "c", "d"}, "or all would go from a on to b"
