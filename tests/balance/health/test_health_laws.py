"""What holds of health whatever happens: laws, tried on random histories."""

import pickle
from contextlib import suppress
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storagebox.balance import Endpoint, NoEndpoint, Outcome
from storagebox.balance.health.checks import Finding, Verdict
from storagebox.balance.health.ejection import Ejection
from storagebox.balance.health.trust import Trust
from storagebox.balance.node import Node
from tests.balance.seen import Seen, endpoints

FULLY_BACK_S = 30.0 + 10.0 + 1.0
"""The longest ejection, slow start, and a second of requests."""

_happenings = st.lists(
    st.tuples(
        st.sampled_from(["end", "end", "end", "wait", "check", "list"]),
        st.integers(0, 6),
        st.sampled_from([*Outcome, Outcome.FAILURE, Outcome.FAILURE]),
        st.floats(0.0, 3.0),
    ),
    max_size=80,
)


def live(made: Seen, happenings: list[tuple[str, int, Outcome, float]]) -> None:
    """A history: requests that end somehow, checks, another membership, time."""
    for what, which, outcome, span_s in happenings:
        if what == "end":
            with suppress(NoEndpoint):  # all drain
                made.end(made.pick(safe=which % 2 == 0), outcome, span_s)
        elif what == "wait":
            made.now += span_s
        elif what == "check":
            verdict = list(Verdict)[which % 4]
            made.balancer.checked(f"10.0.0.{which + 1}:80", Finding(verdict), made.now)
        else:
            members = endpoints(len(made.members))
            members[which % len(members)] = Endpoint(
                f"10.0.0.{which % len(members) + 1}", 80, ready=span_s > 1, weight=span_s
            )
            made.update(members)


@given(st.integers(1, 7), _happenings, st.integers())
def test_somebody_is_always_eligible(count: int, happenings: list, seed: int):
    made = Seen(count, seed=seed)
    for happening in happenings:
        live(made, [happening])
        drained = [s for s in made.balancer.standings(made.now) if s.endpoint.weight == 0]
        assert made.chosen() or len(drained) == count


@given(st.integers(2, 9), _happenings, st.integers())
def test_no_more_than_two_thirds_are_ejected_unless_all_are(
    count: int, happenings: list, seed: int
):
    made = Seen(count, seed=seed)
    live(made, [each for each in happenings if each[0] in ("end", "wait")])
    assert len(made.chosen()) >= max(1, count - ceil(count * 2 / 3))


@settings(max_examples=40)
@given(st.integers(1, 7), _happenings, st.integers())
def test_whatever_has_happened_all_come_back_once_requests_succeed(
    count: int, happenings: list, seed: int
):
    made = Seen(count, seed=seed)
    live(made, happenings)
    made.update(endpoints(count, weight=1.0))
    for member in made.members:
        made.balancer.checked(member.id, Finding(Verdict.WELL), made.now)
    end_s = made.now + FULLY_BACK_S
    while made.now < end_s:
        made.now += 0.25
        made.end(made.pick(), Outcome.SUCCESS)
    assert [made.weight(member.host) for member in made.members] == [1.0] * count


@given(st.integers(1, 7), _happenings, st.integers(), st.floats(0.0, 100.0))
def test_assessing_changes_nothing_but_weights(
    count: int, happenings: list, seed: int, ahead_s: float
):
    trust = Trust()
    made = Seen(count, trust, seed)
    live(made, happenings)
    nodes: list[Node] = list(made.balancer._nodes.values())  # pyright: ignore[reportPrivateUsage]
    before = pickle.dumps([node.health for node in nodes])
    at = made.now + ahead_s
    first = trust.assess(nodes, at)
    weights = [node.weight for node in nodes]
    trust.assess(nodes, at + 1000.0)
    assert trust.assess(nodes, at) == first
    assert [node.weight for node in nodes] == weights
    assert pickle.dumps([node.health for node in nodes]) == before


@given(st.integers(1, 7), _happenings, st.integers())
def test_what_is_assessed_holds_until_it_says_itself_that_it_must_be_anew(
    count: int, happenings: list, seed: int
):
    trust = Trust()
    made = Seen(count, trust, seed)
    live(made, happenings)
    nodes: list[Node] = list(made.balancer._nodes.values())  # pyright: ignore[reportPrivateUsage]
    first = trust.assess(nodes, made.now)
    weights = [node.weight for node in nodes]
    until_s = min(first.again_s, made.now + 1000.0)
    later = trust.assess(nodes, made.now + (until_s - made.now) * 0.999)
    assert (later.eligible, later.probation) == (first.eligible, first.probation)
    assert [node.weight for node in nodes] == weights


@given(st.integers(2, 50), st.integers(0, 2**32))
def test_a_dead_server_is_chosen_three_times_and_then_only_tried(count: int, seed: int):
    made = Seen(count, seed=seed)
    dead = Random(seed).choice(made.members).host
    chosen = {"policy": 0, "probation": 0}
    for _ in range(count * 40):
        made.now += 10.0 / count
        pick = made.pick()
        if pick.endpoint.host == dead:
            chosen[pick.reason] += 1
            made.end(pick, Outcome.UNREACHABLE)
        else:
            made.end(pick, Outcome.SUCCESS)
    assert chosen["policy"] == 3
    # 400 s: at 0.8 to 1, 2, 4, 8, 16 s and then each 24 to 30 s.
    assert 12 <= chosen["probation"] <= 5 + 1 + 400 / 24


@pytest.mark.parametrize("share", [0.1, 0.34, 0.5, 0.67, 1.0])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 300])
def test_at_any_size_and_share_at_least_one_may_go_and_one_stays(count: int, share: float):
    ejection = Ejection(max_share=share)
    records = [ejection.fresh() for _ in range(count)]
    for record in records[:-1]:
        record.ejected_s = 0.0
    out = ejection.out(records)
    assert len(out) == min(count - 1, ceil(share * count - 1e-9))
