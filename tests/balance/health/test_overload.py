"""A server that says "not now" lives, and gets less until it stops saying so."""

import pytest

from storagebox.balance import Outcome
from tests.balance.seen import Seen

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def turn_away(made: Seen, retry_after_s: float | None = None) -> None:
    while (pick := made.pick()).endpoint.host != A:
        made.end(pick, Outcome.SUCCESS)
    made.end(pick, Outcome.OVERLOADED, retry_after_s)


def test_each_refusal_halves_down_to_a_sixteenth():
    made = Seen(3)
    shares: list[float | None] = []
    for n in range(6):
        made.now = n * 0.01
        turn_away(made)
        shares.append(made.weight(A))
    assert shares == [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16, 1 / 16]
    assert (made.weight(B), made.chosen()) == (1, {A, B, C})
    assert made.standing(A) == "overloaded: gets 6%"


def test_a_burst_that_was_sent_at_once_halves_once():
    made = Seen(3)
    burst = [pick for pick in (made.pick() for _ in range(30)) if pick.endpoint.host == A]
    made.now = 0.1
    for pick in burst:
        made.end(pick, Outcome.OVERLOADED)
    assert made.weight(A) == 1 / 2


def test_a_second_of_calm_takes_one_halving_back():
    made = Seen(3)
    for n in range(2):
        made.now = n * 0.01
        turn_away(made)
    made.now = 1.1
    assert made.weight(A) == 1 / 2
    made.now = 2.1
    assert made.weight(A) is None


def test_it_is_spared_for_as_long_as_it_asks_and_no_longer_than_sensible():
    made = Seen(3)
    turn_away(made, retry_after_s=5.0)
    made.now = 5.9
    assert made.weight(A) == 1 / 2
    made.now = 6.1
    assert made.weight(A) is None
    turn_away(made, retry_after_s=1e9)
    made.now += 31.1
    assert made.weight(A) is None


@pytest.mark.parametrize("told", [0.0, -3.0, float("nan")])
def test_a_time_that_is_none_is_no_time(told: float):
    made = Seen(3)
    turn_away(made, retry_after_s=told)
    made.now = 1.1
    assert made.weight(A) is None


def test_pickers_learn_of_it_within_a_twentieth_of_a_second():
    made = Seen(3)
    turn_away(made)
    made.now = 0.06
    made.end(made.pick(), Outcome.SUCCESS)
    assert [s.weight for s in made.balancer.standings(made.now)] == [1 / 2, 1, 1]


def test_if_all_say_so_nobody_is_preferred_and_nobody_ejected():
    made = Seen(3)
    for _ in range(100):
        made.now += 0.001
        made.end(made.pick(), Outcome.OVERLOADED)
    assert made.chosen() == {A, B, C}
    assert made.weight(A) == made.weight(B) == made.weight(C) == 1 / 16


def test_a_trial_turned_away_waits_again_and_not_for_longer():
    made = Seen(3)
    made.fail(A)
    made.now = 1.0
    made.end(made.pick(), Outcome.OVERLOADED)
    assert made.chosen() == {B, C}
    made.now = 2.0
    assert made.pick().reason == "probation"


def test_a_trial_turned_away_is_not_followed_by_the_next_at_once():
    made = Seen(3)
    made.fail(A)
    made.now = 1.0
    made.end(made.pick(), Outcome.OVERLOADED)
    assert {made.pick().reason for _ in range(10)} == {"policy"}
    made.now = 1.7
    assert {made.pick().reason for _ in range(10)} == {"policy"}
