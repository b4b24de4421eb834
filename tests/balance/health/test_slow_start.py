"""A server that has just come gets its load bit by bit."""

from dataclasses import replace
from math import inf

import pytest

from storagebox.balance import Endpoint, Outcome
from storagebox.balance.health.checks import Finding, Verdict
from storagebox.balance.health.slow_start import SlowStart
from storagebox.balance.health.trust import Trust
from tests.balance.seen import Seen, endpoints

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"
LATE = Endpoint("10.0.0.9", 80, weight=2)


@pytest.mark.parametrize(
    ("aggression", "after_s", "share"),
    # Envoy's own figures for a window of 60 s.
    [(1, 1, 0.10), (1, 6, 0.10), (1, 30, 0.5), (2, 1, 0.13), (2, 6, 0.32), (2, 15, 0.5)],
)
def test_it_grows_as_envoys(aggression: float, after_s: float, share: float):
    grown, _ = SlowStart(window_s=60, aggression=aggression).share(0.0, after_s)
    assert grown == pytest.approx(share, abs=0.05)


def test_it_grows_step_by_step_and_ends():
    start = SlowStart(window_s=10)
    now, shares = 5.0, [0.0]
    while now < inf:
        share, now = start.share(5.0, now)
        shares.append(share)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) <= 24


def test_no_window_is_no_slow_start():
    assert SlowStart(window_s=0).share(3.0, 3.0) == (1.0, inf)


def test_the_first_membership_never_starts_slowly():
    made = Seen(endpoints(3, weight=2))
    assert [made.weight(host) for host in (A, B, C)] == [2, 2, 2]


def test_who_joins_later_does():
    made = Seen(endpoints(3, weight=2))
    made.update([*made.members, LATE])
    assert made.weight(LATE.host) == pytest.approx(0.2)
    assert made.weight(A) == 2
    made.now = 5.0
    assert made.weight(LATE.host) == pytest.approx(1.0)
    made.now = 10.0
    assert made.weight(LATE.host) == 2


def test_weights_that_nobody_knows_become_the_mean_of_the_known_before_a_share_is_taken():
    made = Seen([*endpoints(2), Endpoint("10.0.0.3", 80, weight=4)])
    assert [made.weight(host) for host in (A, B, C)] == [None, None, 4]
    made.update([*made.members, Endpoint("10.0.0.4", 80)])
    assert [made.weight(host) for host in (A, B, C)] == [4, 4, 4]
    assert made.weight("10.0.0.4") == pytest.approx(0.4)


def test_after_probation_too():
    made = Seen(3)
    made.fail(A)
    made.now = 1.0
    made.end(made.pick(), Outcome.SUCCESS)
    assert (made.weight(A), made.weight(B)) == (pytest.approx(0.1), 1)


def test_and_when_checks_find_it_well_again():
    made = Seen(3)
    id_ = made.members[0].id
    made.balancer.checked(id_, Finding(Verdict.WELL), 0.0)
    assert made.weight(A) is None, "its first check finds what everybody took it for"
    made.balancer.checked(id_, Finding(Verdict.FAILING), 1.0)
    made.now = 2.0
    made.balancer.checked(id_, Finding(Verdict.WELL), made.now)
    assert made.weight(A) == pytest.approx(0.1)


@pytest.mark.parametrize("away", [{"ready": False}, {"weight": 0.0}])
def test_and_when_its_registry_does(away: dict[str, float]):
    made = Seen(endpoints(3, weight=1))
    there = made.members
    made.update([replace(there[0], **away), *there[1:]])
    assert made.chosen() == {B, C}
    made.now = 1.0
    made.update(there)
    assert made.weight(A) == pytest.approx(0.1)


def test_another_weight_alone_is_no_return():
    made = Seen(endpoints(3, weight=1))
    made.update([made.members[0].weighing(5), *made.members[1:]])
    assert made.weight(A) == 5


@pytest.mark.parametrize("wrong", [{"window_s": -1.0}, {"aggression": 0.0}, {"least": 0.0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="slow start: "):
        SlowStart(**wrong)


def test_trust_takes_a_window_of_its_own():
    made = Seen(endpoints(2, weight=1), Trust(slow_start=SlowStart(window_s=0)))
    made.update([*made.members, LATE])
    assert made.weight(LATE.host) == 2


def test_the_first_second_counts_as_one_that_has_passed():
    share, _ = SlowStart(window_s=60, aggression=2).share(5.0, 5.0)
    assert share == pytest.approx((1 / 60) ** 0.5)
