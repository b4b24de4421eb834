"""Policies by place: slices of a ring, a key's own server, the near zone."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.balance.node import Node
from storagebox.balance.picker import Picker
from storagebox.balance.picker.aperture import DeterministicAperture, aperture
from storagebox.balance.picker.power_of_two import PowerOfTwo
from storagebox.balance.picker.rendezvous_bounded import BoundedRendezvous
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.picker.windowed import WindowedRoundRobin
from storagebox.balance.picker.zone_first import ZoneFirst
from tests.balance.served import begin, counts, fresh, nodes

KEYS = [b"key %d" % i for i in range(3000)]


# Deterministic aperture


@given(
    st.integers(1, 25),
    st.lists(st.sampled_from([1, 1, 1, 2, 0.5]), min_size=1, max_size=40),
    st.integers(1, 14),
)
def test_all_clients_slices_together_use_each_server_by_its_weight(
    clients: int, weights: list[float], size: int
):
    slices = [aperture(weights, client, clients, size) for client in range(clients)]
    used = [sum(portions) for portions in zip(*slices, strict=True)]
    for portion, weight in zip(used, weights, strict=True):
        assert portion / sum(used) == pytest.approx(weight / sum(weights), abs=1e-6)


@given(st.integers(1, 40), st.integers(1, 60), st.integers(1, 20))
def test_a_slice_holds_as_many_servers_as_was_said(clients: int, n: int, size: int):
    portions = aperture([1.0] * n, clients // 2, clients, size)
    assert sum(portions) * n >= min(n, size) - 1e-6
    assert sum(portion > 0 for portion in portions) <= min(n, sum(portions) * n + 2)


def test_below_13_servers_a_slice_is_everybody():
    assert all(aperture([1.0] * 12, 3, 10, 12))
    assert not all(aperture([1.0] * 30, 3, 10, 12))


def test_a_fraction_of_a_server_gets_a_fraction_of_requests():
    picker, servers = fresh(DeterministicAperture(0, 8, size=4), 10)
    picked = counts(picker, servers, 20_000)
    assert picked[:6] == pytest.approx([4000, 4000, 4000, 4000, 4000, 0], rel=0.1)
    picker, servers = fresh(DeterministicAperture(1, 8, size=4), 10)
    picked = counts(picker, servers, 20_000)
    assert picked[1] == pytest.approx(3000, rel=0.1), "three quarters of the second are in"
    assert picked[6] == pytest.approx(1000, rel=0.1), "and a quarter of the seventh"


@pytest.mark.parametrize(("client", "clients", "size"), [(3, 3, 12), (-1, 3, 12), (0, 1, 0)])
def test_an_aperture_that_is_none_is_refused(client: int, clients: int, size: int):
    with pytest.raises(ValueError, match="aperture of"):
        DeterministicAperture(client, clients, size)


# A key's own server


def owners(picker: Picker, keys: list[bytes] = KEYS) -> dict[bytes, Node]:
    return {key: picker.pick(0.0, key) for key in keys}


def test_clients_agree_on_a_key_s_server():
    policy = BoundedRendezvous()
    servers = nodes(policy, 7)
    one, other = (policy.picker(servers, None, Random(seed), 0.0) for seed in (1, 2))
    assert owners(one) == owners(other)


def test_idle_servers_have_keys_by_weight():
    picker, servers = fresh(BoundedRendezvous(factor=9.0), [1, 2, 3])
    owned = Counter(owners(picker).values())
    assert [owned[node] for node in servers] == pytest.approx([500, 1000, 1500], rel=0.12)


@given(st.integers(2, 12), st.data())
def test_when_a_server_goes_only_its_keys_move(n: int, data: st.DataObject):
    policy = BoundedRendezvous()
    servers = nodes(policy, n)
    gone = servers[data.draw(st.integers(0, n - 1))]
    rest = [node for node in servers if node is not gone]
    before = owners(policy.picker(servers, None, Random(1), 0.0), KEYS[:100])
    after = owners(policy.picker(rest, None, Random(1), 0.0), KEYS[:100])
    assert all(after[key] is node for key, node in before.items() if node is not gone)


@given(
    st.lists(st.sampled_from([1, 1, 2, 5]), min_size=2, max_size=7),
    st.floats(1.01, 3),
    st.lists(st.sampled_from(KEYS[:3]), min_size=1, max_size=60),
)
def test_no_server_holds_more_than_its_share_times_the_factor(
    weights: list[float], factor: float, keys: list[bytes]
):
    picker, _ = fresh(BoundedRendezvous(factor), weights)
    for held, key in enumerate(keys, 1):
        node = begin(picker, 0.0, key)
        share = (node.endpoint.weight or 0) / sum(weights)
        assert node.in_flight < factor * held * share + 1


def test_a_busy_key_spills_to_the_same_next_server_on_every_client():
    policy = BoundedRendezvous()
    spills: list[list[str]] = []
    for seed in (1, 2):
        servers = nodes(policy, 20)
        picker = policy.picker(servers, None, Random(seed), 0.0)
        spills.append([begin(picker, 0.0, b"hot").endpoint.id for _ in range(8)])
    assert spills[0] == spills[1]
    assert len(set(spills[0])) > 1


def test_what_has_no_key_goes_to_the_better_of_two():
    picker, servers = fresh(BoundedRendezvous(), 2)
    servers[0].in_flight = 1
    assert counts(picker, servers, 50) == [0, 50]


def test_a_factor_of_1_is_refused():
    with pytest.raises(ValueError, match="bounded load of factor 1"):
        BoundedRendezvous(1.0)


# The near zone


def zoned(policy: ZoneFirst, *zones: tuple[str, int]) -> tuple[Picker, list[Node]]:
    servers = nodes(policy, sum(count for _, count in zones))
    names = [zone for zone, count in zones for _ in range(count)]
    for node, zone in zip(servers, names, strict=True):
        node.endpoint = replace(node.endpoint, zone=zone)
    return policy.picker(servers, None, Random(1), 0.0), servers


def by_zone(picker: Picker, servers: list[Node], picks: int = 6000) -> Counter[str]:
    shares: Counter[str] = Counter()
    for node, count in zip(servers, counts(picker, servers, picks), strict=True):
        shares[node.endpoint.zone] += count
    return +shares


def test_a_zone_with_enough_servers_keeps_its_traffic():
    assert by_zone(*zoned(ZoneFirst("a", PowerOfTwo()), ("a", 4), ("b", 4))) == {"a": 6000}
    assert by_zone(*zoned(ZoneFirst("a", PowerOfTwo()), ("a", 5), ("b", 3))) == {"a": 6000}


def test_what_a_zone_cannot_carry_goes_where_there_is_most_left():
    policy = ZoneFirst("a", RoundRobin())
    shares = by_zone(*zoned(policy, ("a", 2), ("b", 6), ("c", 4)))  # a third, sixth, half, third
    assert shares["a"] == pytest.approx(3000, rel=0.06)
    assert shares["b"] == pytest.approx(3000, rel=0.06)
    assert shares["c"] == 0, "it has no more than its own clients need"


def test_all_zones_clients_together_load_every_server_alike():
    zones = (("a", 2), ("b", 7), ("c", 3))
    clients = (("a", 0.5), ("b", 0.3), ("c", 0.2))
    load: Counter[str] = Counter()
    for zone, share in clients:
        picked = by_zone(*zoned(ZoneFirst(zone, RoundRobin(), clients), *zones), 12_000)
        load.update({name: round(count * share) for name, count in picked.items()})
    assert [load[zone] / servers for zone, servers in zones] == pytest.approx([1000] * 3, rel=0.06)


@pytest.mark.parametrize("zones", [(("a", 1), ("b", 4)), (("b", 4), ("c", 4))])
def test_few_servers_or_none_nearby_are_used_as_if_there_were_no_zones(
    zones: tuple[tuple[str, int], ...],
):
    picker, servers = zoned(ZoneFirst("a", RoundRobin()), *zones)
    each = 6000 / len(servers)
    assert counts(picker, servers, 6000) == pytest.approx([each] * len(servers), abs=1)


def test_six_servers_are_enough_for_zones_and_five_are_too_few():
    for near, zones in ((2, {"near"}), (1, {"near", "far"})):
        policy = ZoneFirst("near", RoundRobin(), clients=(("near", 0.1), ("far", 0.9)))
        picker, servers = zoned(policy, ("near", near), ("far", 4))
        assert set(by_zone(picker, servers)) == zones


def test_what_an_inner_policy_has_settled_on_outlives_a_change_of_membership():
    policy = ZoneFirst("near", WindowedRoundRobin(2))
    picker, servers = zoned(policy, ("near", 20), ("far", 3))
    before = {picker.pick(0.0, None) for _ in range(10)}
    for seed in range(8):
        picker = policy.picker(servers, picker, Random(seed), 0.0)
        assert {picker.pick(0.0, None) for _ in range(10)} == before


def test_a_key_s_requests_stay_while_there_is_room_and_go_on_when_there_is_none():
    picker, servers = fresh(BoundedRendezvous(1.25), 3)
    picked = [servers.index(begin(picker, key=b"a")) for _ in range(9)]
    first, second = picked[:2]
    third = 3 - first - second
    # room: 1.25 · requests in flight, this one included, / 3
    assert picked == [first, second, first, second, first, second, third, first, second]


def test_a_key_that_fills_its_first_servers_goes_on_to_all_others():
    picker, _ = fresh(BoundedRendezvous(1.01), 10)
    assert len({begin(picker, key=b"a") for _ in range(9)}) == 9
