"""Which servers a client uses: the laws of each subset policy, and what it costs."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.balance import Endpoint
from storagebox.balance.picker import Picker
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.picker.subsetting import Subsetting
from storagebox.balance.resolver import Publish
from storagebox.balance.subset import Subset, members
from storagebox.balance.subset.agreed import numbered, van_der_corput
from storagebox.balance.subset.deterministic import DeterministicSubset
from storagebox.balance.subset.random_subset import RandomSubset
from storagebox.balance.subset.rendezvous import Rendezvous
from storagebox.balance.subset.ringsteady import Ringsteady
from storagebox.balance.subset.rocksteadier import Rocksteadier
from storagebox.balance.subset.subset_resolver import SubsetResolver
from storagebox.balance.subset.window import IndexWindow
from tests.balance.served import endpoints, nodes

Kind = Callable[[int, int], Subset]
ALL: list[Kind] = [
    RandomSubset,
    Rendezvous,
    IndexWindow,
    DeterministicSubset,
    Ringsteady,
    Rocksteadier,
]
STEADY: list[Kind] = [RandomSubset, Rendezvous, Ringsteady, Rocksteadier]


def used(kind: Kind, clients: int, n: int, size: int) -> list[set[str]]:
    return [{e.id for e in members(kind(size, c), endpoints(n))} for c in range(clients)]


def spread(kind: Kind, clients: int, n: int, size: int) -> tuple[float, float, float]:
    """Connections a server: least and most in relation to the mean, and the CV."""
    connections = Counter(id_ for ids in used(kind, clients, n, size) for id_ in ids)
    mean = clients * size / n
    each = [connections[endpoint.id] / mean for endpoint in endpoints(n)]
    return min(each), max(each), sqrt(sum((x - 1) ** 2 for x in each) / n)


@given(st.sampled_from(ALL), st.integers(0, 60), st.integers(0, 40), st.integers(1, 12))
def test_a_subset_has_so_many_different_members(kind: Kind, client: int, n: int, size: int):
    chosen = members(kind(size, client), endpoints(n))
    assert len(chosen) == len({endpoint.id for endpoint in chosen}) == min(n, size)
    assert set(chosen) <= set(endpoints(n))


@given(st.sampled_from(ALL), st.integers(0, 30), st.permutations(endpoints(9)), st.integers(1, 9))
def test_the_order_that_a_resolver_tells_them_in_does_not_matter(
    kind: Kind, client: int, told: list[Endpoint], size: int
):
    subset = kind(size, client)
    assert members(subset, told) == members(subset, endpoints(9))


@given(st.sampled_from(STEADY), st.integers(0, 60), st.integers(2, 45), st.integers(1, 12))
def test_one_that_joins_or_leaves_replaces_one_at_most(kind: Kind, client: int, n: int, size: int):
    subset = kind(size, client)
    few, many = endpoints(n - 1), endpoints(n)
    before = {e.id for e in members(subset, few)}
    joined = {e.id for e in members(subset, many, before)}
    left = {e.id for e in members(subset, few, joined)}
    assert len(before - joined) <= 1
    assert len(joined - left) <= 1


@given(st.sampled_from(STEADY), st.integers(0, 30), st.integers(0, 19), st.integers(1, 6))
def test_any_numbered_server_may_leave_and_replaces_one_at_most(
    kind: Kind, client: int, gone: int, size: int
):
    all_ = [replace(e, meta={"number": str(i)}) for i, e in enumerate(endpoints(20))]
    subset = kind(size, client)
    before = {e.id for e in members(subset, all_)}
    after = {e.id for e in members(subset, all_[:gone] + all_[gone + 1 :], before)}
    assert len(before - after) <= 1


@given(st.sampled_from(ALL), st.integers(0, 30), st.integers(0, 11), st.booleans())
def test_what_drains_or_is_not_ready_is_stepped_over(
    kind: Kind, client: int, out: int, drains: bool
):
    all_ = endpoints(12)
    subset = kind(3, client)
    before = [e.id for e in members(subset, all_)]
    all_[out] = replace(all_[out], weight=0) if drains else replace(all_[out], ready=False)
    after = [e.id for e in members(subset, all_, before)]
    assert all_[out].id not in after
    assert len(set(after)) == 3
    assert len(set(before) - set(after)) <= 1


def test_where_nobody_is_ready_the_usual_ones_are_used():
    all_ = [replace(endpoint, ready=False) for endpoint in endpoints(12)]
    for kind in ALL:
        assert len(members(kind(3, 5), all_)) == 3


@pytest.mark.parametrize("kind", ALL)
def test_sizes_and_clients_that_are_none_are_refused(kind: Kind):
    with pytest.raises(ValueError, match="subset of 0 servers"):
        kind(0, 1)


# Balance: min, max and CV, as measured elsewhere


@pytest.mark.parametrize(
    ("kind", "clients", "n", "size", "least", "most"),
    [
        (IndexWindow, 300, 300, 30, 1.0, 1.0),
        (DeterministicSubset, 300, 300, 30, 1.0, 1.0),
        (Ringsteady, 300, 300, 30, 1.0, 1.0),
        (Rocksteadier, 300, 300, 30, 1.0, 1.0),
        (Rocksteadier, 100, 100, 5, 1.0, 1.0),
        (Rocksteadier, 1000, 50, 20, 1.0, 1.0),
        (Ringsteady, 1000, 50, 20, 0.97, 1.05),
        (IndexWindow, 100, 7, 3, 0.98, 1.0),
        (Ringsteady, 30, 12, 3, 0.93, 1.07),
        (IndexWindow, 6, 3, 2, 1.0, 1.0),
        (Ringsteady, 6, 3, 2, 0.75, 1.25),
    ],
)
def test_connections_are_as_even_as_published(
    kind: Kind, clients: int, n: int, size: int, least: float, most: float
):
    low, high, _ = spread(kind, clients, n, size)
    assert (low, high) == pytest.approx((least, most), abs=0.011)


@pytest.mark.parametrize("kind", [RandomSubset, Rendezvous])
@pytest.mark.parametrize(("clients", "n", "size"), [(100, 100, 5), (30, 12, 3), (6, 3, 2)])
def test_chance_is_as_uneven_as_its_formula(kind: Kind, clients: int, n: int, size: int):
    seeds = 15

    def seeded(seed: int) -> Kind:
        return lambda size, client: kind(size, seed * 1000 + client)

    squares = [spread(seeded(seed), clients, n, size)[2] ** 2 for seed in range(seeds)]
    formula = (1 - size / n) / (clients * size / n)
    assert sum(squares) / seeds == pytest.approx(formula, rel=0.3)


def test_a_round_of_deterministic_subsets_leaves_out_the_remainder():
    first_round = used(DeterministicSubset, 3, 10, 3)
    assert sum(map(len, first_round)) == len(set().union(*first_round)) == 9
    clients = [DeterministicSubset(3, client) for client in range(3, 6)]
    second_round = {e.id for subset in clients for e in members(subset, endpoints(10))}
    assert len(second_round) == 9
    assert second_round != set().union(*first_round), "each round leaves out another"


def test_padding_leaves_every_slot_enough_servers():
    for client in range(40):
        assert len(members(Rocksteadier(4, client), endpoints(11))) == 4


def test_with_fewer_servers_than_a_lot_padding_dominates():
    assert spread(Rocksteadier, 6, 3, 2)[2] > 0.1


def test_van_der_corput_mirrors_bits():
    assert [van_der_corput(n) for n in range(6)] == [0, 0.5, 0.25, 0.75, 0.125, 0.625]


# Around a resolver


class Told:
    """A resolver that publishes memberships one after the other."""

    def __init__(self, memberships: list[list[Endpoint]]) -> None:
        self._memberships = memberships

    async def watch(self, publish: Publish) -> None:
        for membership in self._memberships:
            publish(membership)


def published(memberships: list[list[Endpoint]], subset: Subset) -> list[list[Endpoint]]:
    heard: list[list[Endpoint]] = []
    resolver = SubsetResolver(Told(memberships), subset)
    asyncio.run(resolver.watch(lambda endpoints: heard.append(list(endpoints))))
    return heard


def test_a_random_subset_replaces_only_what_it_loses():
    all_ = endpoints(20)
    first = members(RandomSubset(4, 7), all_)
    without = [endpoint for endpoint in all_ if endpoint.id != first[0].id]
    heard = published([all_, without, all_], RandomSubset(4, 7))
    ids = [{endpoint.id for endpoint in membership} for membership in heard]
    assert ids[0] - ids[1] == {first[0].id}
    assert ids[2] == ids[1], "the one that is back is a newcomer"


def picked(picker: Picker, times: int = 40) -> set[str]:
    return {picker.pick(0.0, None).endpoint.id for _ in range(times)}


def test_a_subset_around_a_policy_keeps_its_servers_whoever_else_comes_or_goes():
    policy = Subsetting(RandomSubset(3, 7), RoundRobin())
    all_ = nodes(policy, 20)
    picker = policy.picker(all_, None, Random(1), 0.0)
    first = picked(picker)
    assert len(first) == 3
    for gone in range(17):
        others = [node for node in all_ if node.endpoint.id not in first][gone:]
        here = sorted(
            [*(node for node in all_ if node.endpoint.id in first), *others],
            key=lambda node: node.endpoint.id,
        )
        picker = policy.picker(here, picker, Random(1), 0.0)
        assert picked(picker) == first


def test_it_replaces_only_what_it_loses_and_keeps_the_replacement():
    policy = Subsetting(RandomSubset(3, 7), RoundRobin())
    all_ = nodes(policy, 20)
    picker = policy.picker(all_, None, Random(1), 0.0)
    first = picked(picker)
    lost = min(first)
    picker = policy.picker(
        [node for node in all_ if node.endpoint.id != lost], picker, Random(1), 0.0
    )
    second = picked(picker)
    assert first - second == {lost}
    assert len(second) == 3
    assert picked(policy.picker(all_, picker, Random(1), 0.0)) == second


def test_one_that_drains_is_replaced_but_stays_known():
    all_ = endpoints(6)
    member = members(Rendezvous(2, 3), all_)[0]
    draining = [e.weighing(0) if e.id == member.id else e for e in all_]
    heard = published([all_, draining, draining], Rendezvous(2, 3))
    assert [len(membership) for membership in heard] == [2, 3, 3]
    assert heard[2][-1] == member.weighing(0)


def test_a_membership_of_nobody_is_published_as_such():
    assert published([[], endpoints(1), []], IndexWindow(3, 2)) == [[], endpoints(1), []]


def test_numbers_may_have_gaps_but_no_abysses():
    def told(*numbers: int) -> list[Endpoint]:
        return [
            replace(endpoint, meta={"number": str(number)})
            for endpoint, number in zip(endpoints(len(numbers)), numbers, strict=True)
        ]

    assert list(numbered(told(0, 5, 47))) == [0, 5, 47]
    assert list(numbered(told(0, 5, 48))) == [0, 1, 2], "16 times as many as servers, and more"
    assert list(numbered(told(0, 5, 5))) == [0, 1, 2], "told twice"
