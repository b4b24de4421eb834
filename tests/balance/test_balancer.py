"""Endpoints in, one endpoint a request out."""

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from storagebox.balance import Balancer, Endpoint, NoEndpoint, Outcome, Pick
from storagebox.balance.health.ejection import Ejection
from storagebox.balance.health.slow_start import SlowStart
from storagebox.balance.health.trust import Trust
from storagebox.balance.load.peak_ewma import PeakEwma
from storagebox.balance.node import Node
from storagebox.balance.picker import Picker
from storagebox.balance.picker.power_of_two import Only, PowerOfTwo
from storagebox.balance.picker.round_robin import RoundRobin

THREE = [Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80), Endpoint("10.0.0.3", 80)]


def balancer(endpoints: list[Endpoint] = THREE, *, failures: int = 3) -> Balancer:
    trust = Trust(Ejection(failures=failures, time_s=1.0, jitter=0.0))
    made = Balancer(RoundRobin(), health=trust, random=Random(1))
    made.update(endpoints, 0.0)
    return made


def hosts(made: Balancer, requests: int, now: float = 0.0) -> list[str]:
    return [made.pick(now).endpoint.host for _ in range(requests)]


def fail(made: Balancer, host: str, times: int, now: float) -> None:
    failed = 0
    while failed < times:
        pick = made.pick(now)
        if pick.endpoint.host == host:
            pick.done(Outcome.FAILURE, now)
            failed += 1
        else:
            pick.done(Outcome.SUCCESS, now)


def pick_of(made: Balancer, id_: str) -> Pick:
    """A request to this server, all others having been tried."""
    others = [s.endpoint.id for s in made.standings(0.0) if s.endpoint.id != id_]
    return made.pick(0.0, tried=others)


def test_nobody_to_choose_is_an_error_that_says_why():
    with pytest.raises(NoEndpoint, match="the membership is empty"):
        balancer([]).pick(0.0)
    with pytest.raises(NoEndpoint, match="all 1 servers drain"):
        balancer([Endpoint("a", 80, weight=0)]).pick(0.0)


def test_a_server_named_twice_gets_one_share():
    chosen = hosts(balancer([*THREE, THREE[0]]), 300)
    assert [chosen.count(endpoint.host) for endpoint in THREE] == [100, 100, 100]


@pytest.mark.parametrize("weight", [-1, math.nan, math.inf])
def test_a_weight_that_is_none_is_refused(weight: float):
    with pytest.raises(ValueError, match=r"endpoint a:80: weight .* leave it out"):
        Endpoint("a", 80, weight=weight)


@pytest.mark.parametrize(
    "host", ["a..b", "a" * 64, "a b", "a\0b", "a/b", "[::1]", "http://a", "ü" * 64]
)
def test_a_host_that_is_none_is_refused(host: str):
    with pytest.raises(ValueError, match=r"that is no host: give a name or an address"):
        Endpoint(host, 80)


def test_a_host_is_kept_as_sockets_take_it():
    assert Endpoint("bücher.example", 80).address == "xn--bcher-kva.example:80"
    assert Endpoint("fe80::1%eth0.7", 80).address == "[fe80::1%eth0.7]:80"
    assert Endpoint("_a.example.", 80).host == "_a.example."


def test_what_drains_is_not_chosen():
    drained = [THREE[0].weighing(0), *THREE[1:]]
    assert set(hosts(balancer(drained), 20)) == {"10.0.0.2", "10.0.0.3"}


def test_a_request_is_in_flight_until_it_is_done_once():
    made = balancer(THREE[:1])
    pick = made.pick(0.0)
    assert made.standings(0.0)[0].in_flight == 1
    pick.done(Outcome.SUCCESS, 1.0)
    pick.done(Outcome.FAILURE, 2.0)
    assert (made.standings(2.0)[0].in_flight, made.standings(2.0)[0].failed) == (0, 0)


def test_a_server_that_stays_keeps_what_is_known_of_it():
    made = balancer()
    pick = made.pick(0.0)
    made.update([pick.endpoint, Endpoint("10.0.0.9", 80)], 1.0)
    assert {s.endpoint.host: s.in_flight for s in made.standings(1.0)} == {
        pick.endpoint.host: 1,
        "10.0.0.9": 0,
    }


def test_a_server_that_moved_is_another_machine():
    """Its load, latency and failures were the old one's, and so are the ends still to come."""
    made = Balancer(
        PowerOfTwo(PeakEwma()), health=Trust(slow_start=SlowStart(0.0)), random=Random(1)
    )
    here = [Endpoint(f"10.0.0.{n}", 80, id=f"box-{n}") for n in (1, 2)]
    made.update(here, 0.0)
    old = pick_of(made, "box-1")
    for n in range(6):
        pick_of(made, "box-1").done(Outcome.FAILURE if n == 0 else Outcome.SUCCESS, 5.0)
        pick_of(made, "box-2").done(Outcome.SUCCESS, 0.001)
    made.update([Endpoint("10.0.0.9", 80, id="box-1"), here[1]], 5.0)
    moved = made.standings(5.0)[0]
    assert moved.endpoint.host == "10.0.0.9"
    assert (moved.in_flight, moved.picked, moved.failed, moved.state) == (0, 0, 0, "well")
    picked = [made.pick(5.0) for _ in range(2)]
    assert {pick.endpoint.id for pick in picked} == {"box-1", "box-2"}, "it isn't known to be slow"
    for pick in picked:
        pick.done(Outcome.SUCCESS, 5.001)
    for _ in range(3):
        old.done(Outcome.FAILURE, 6.0)
    assert [(s.in_flight, s.failed) for s in made.standings(6.0)] == [(0, 0), (0, 0)]


def test_another_weight_or_zone_at_the_same_address_forgets_nothing():
    made = balancer()
    pick = made.pick(0.0)
    other = replace(pick.endpoint, weight=3, zone="attic")
    made.update([other, *(e for e in THREE if e.id != other.id)], 1.0)
    [standing] = [s for s in made.standings(1.0) if s.endpoint == other]
    assert (standing.in_flight, standing.picked) == (1, 1)
    pick.done(Outcome.FAILURE, 1.0)
    [standing] = [s for s in made.standings(1.0) if s.endpoint == other]
    assert (standing.in_flight, standing.failed) == (0, 1)


def test_who_observes_hears_that_a_server_moved_and_how_its_requests_end():
    told: list[tuple[list[str], list[str]]] = []
    ended: list[str] = []

    class Watching:
        def membership(self, nodes: Sequence[Node], gone: Sequence[Node]) -> None:
            told.append(([n.endpoint.address for n in nodes], [n.endpoint.address for n in gone]))

        def picked(self, node: Node, reason: str) -> None: ...
        def closed(self) -> None: ...
        def done(self, node: Node, reason: str, outcome: Outcome, latency_s: float) -> None:
            ended.append(node.endpoint.address)

    made = Balancer(RoundRobin(), observer=Watching())
    made.update([Endpoint("10.0.0.1", 80, id="a")], 0.0)
    pick = made.pick(0.0)
    made.update([Endpoint("10.0.0.2", 80, id="a")], 1.0)
    pick.done(Outcome.SUCCESS, 2.0)
    assert told == [(["10.0.0.1:80"], []), (["10.0.0.2:80"], ["10.0.0.1:80"])]
    assert ended == ["10.0.0.1:80"]


def test_failures_in_a_row_eject_and_a_trial_brings_back():
    made = balancer(failures=3)
    fail(made, "10.0.0.1", 3, 0.0)
    assert set(hosts(made, 20, 0.5)) == {"10.0.0.2", "10.0.0.3"}
    trial = made.pick(1.0)
    assert (trial.endpoint.host, trial.reason) == ("10.0.0.1", "probation")
    assert "10.0.0.1" not in hosts(made, 20, 1.0), "one at a time"
    trial.done(Outcome.SUCCESS, 1.1)
    assert "10.0.0.1" in hosts(made, 20, 1.1)


def test_a_trial_that_fails_ejects_for_twice_as_long():
    made = balancer(failures=3)
    fail(made, "10.0.0.1", 3, 0.0)
    made.pick(1.0).done(Outcome.UNREACHABLE, 1.0)
    assert "10.0.0.1" not in hosts(made, 20, 2.9)
    assert made.pick(3.0).reason == "probation"


def test_a_request_that_must_not_be_repeated_is_no_trial():
    made = balancer(failures=1)
    fail(made, "10.0.0.1", 1, 0.0)
    assert made.pick(1.0, safe=False).reason == "policy"


def test_a_retry_goes_elsewhere_while_there_is_an_elsewhere():
    made = balancer()
    tried: list[str] = []
    for _ in THREE:
        tried.append(made.pick(0.0, tried=tried).endpoint.id)
    assert sorted(tried) == [endpoint.id for endpoint in THREE]
    assert made.pick(0.0, tried=tried).endpoint.id in tried


def test_retries_of_many_clients_do_not_all_go_to_the_same_server():
    many = [Endpoint(f"10.0.0.{n}", 80) for n in range(1, 101)]
    tried = [endpoint.id for endpoint in many[:80]]
    second: list[str] = []
    for seed in range(40):
        made = Balancer(RoundRobin(), random=Random(seed))
        made.update(many, 0.0)
        second.append(made.pick(0.0, tried=tried).endpoint.id)
    assert len(set(second)) > 14, "of 20"
    assert set(second).isdisjoint(tried)


def test_how_a_request_to_who_has_left_ends_teaches_nothing():
    made = balancer(failures=1)
    pick = made.pick(0.0)
    made.update([e for e in THREE if e != pick.endpoint], 0.0)
    made.update(THREE, 0.0)
    pick.done(Outcome.FAILURE, 0.0)
    assert [(s.failed, s.in_flight, s.eligible) for s in made.standings(0.0)] == [(0, 0, True)] * 3


def test_if_nobody_is_well_everybody_is_tried():
    made = balancer(failures=1)
    for endpoint in THREE:
        fail(made, endpoint.host, 1, 0.0) if endpoint is not THREE[2] else made.pick(0.0).done(
            Outcome.FAILURE, 0.0
        )
    pick = made.pick(0.1)
    assert pick.reason == "panic"
    assert set(hosts(made, 20, 0.1)) == {endpoint.host for endpoint in THREE}


def test_a_clock_that_goes_back_stands_still():
    made = balancer(failures=1)
    fail(made, "10.0.0.1", 1, 100.0)
    assert "10.0.0.1" not in hosts(made, 20, 0.0)
    assert "10.0.0.1" not in hosts(made, 20, math.nan)
    assert made.pick(101.0).reason == "probation"


@pytest.mark.parametrize("now", [math.nan, math.inf, -math.inf])
def test_a_time_that_is_none_is_the_latest_that_was(now: float):
    made = Balancer(RoundRobin(), health=Trust(Ejection(failures=1, time_s=1.0, jitter=0.0)))
    made.update(THREE[:2], now)
    made.pick(now).done(Outcome.FAILURE, now)
    assert sorted(s.state for s in made.standings(0.5)) == [
        "ejected for 0.5 s more: 1 failures in a row",
        "well",
    ]
    assert made.pick(1.0).reason == "probation"


@pytest.mark.parametrize("answered", [math.nan, -5.0])
def test_no_answer_comes_before_its_request(answered: float):
    seen: list[float] = []

    class Watching:
        def membership(self, nodes: object, gone: object) -> None: ...
        def picked(self, node: object, reason: str) -> None: ...
        def closed(self) -> None: ...
        def done(self, node: object, reason: str, outcome: Outcome, latency_s: float) -> None:
            seen.append(latency_s)

    made = Balancer(RoundRobin(), observer=Watching())
    made.update(THREE, 1.0)
    pick = made.pick(1.0)
    pick.answered(answered)
    pick.done(Outcome.SUCCESS, 2.0)
    assert seen == [0.0]


def test_who_has_answered_is_outpaced_by_nobody():
    made = balancer()
    pick = made.pick(0.0)
    pick.answered(1.0)
    pick.outpaced(2.0)
    assert not pick.overtaken


def test_a_request_that_failed_once_tries_nobody_on_probation():
    made = balancer(failures=1)
    fail(made, "10.0.0.1", 1, 0.0)
    pick = made.pick(1.0, tried=["10.0.0.2:80"])
    assert (pick.endpoint.host, pick.reason) == ("10.0.0.3", "retry")
    assert made.pick(1.0).reason == "probation", "the next may"


class _First:
    """Always picks the first server."""

    measure = None
    refresh_s = None

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        return Only(nodes[0])


def test_a_retry_goes_to_who_has_least_for_its_weight():
    made = Balancer(_First(), random=Random(1))
    made.update([THREE[0], THREE[1].weighing(1), THREE[2].weighing(9)], 0.0)
    hosts_ = [made.pick(0.0, tried=["10.0.0.1:80"]).endpoint.host for _ in range(20)]
    assert hosts_.count("10.0.0.2") == 2
    assert hosts_.count("10.0.0.3") == 18
