"""When too few are well, what is known is given up bit by bit, the weakest first."""

from dataclasses import replace

import pytest

from storagebox.balance import Outcome
from storagebox.balance.health.checks import Finding, Verdict
from storagebox.balance.health.trust import Trust
from tests.balance.seen import Seen, endpoints

A, B, C, D = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"


def unready(made: Seen, *hosts: str) -> None:
    made.update([replace(each, ready=each.host not in hosts) for each in made.members])


def check(made: Seen, host: str, verdict: Verdict) -> None:
    made.balancer.checked(f"{host}:80", Finding(verdict, "HTTP 500"), made.now)


def test_a_registry_that_calls_nobody_well_is_not_believed():
    made = Seen(3)
    unready(made, A, B, C)
    assert (made.chosen(), made.pick().reason) == ({A, B, C}, "panic")


def test_what_checks_and_requests_found_still_counts_then():
    made = Seen(4)
    unready(made, A, B, C, D)
    check(made, A, Verdict.FAILING)
    made.fail(B)
    assert made.chosen() == {C, D}


def test_then_checks_are_given_up_and_requests_last():
    made = Seen(3)
    unready(made, A, B, C)
    for host in (A, B, C):
        check(made, host, Verdict.FAILING)
    made.fail(A)
    assert made.chosen() == {B, C}
    made.fail(B)
    made.fail(C)
    assert made.chosen() == {A, B, C}


def test_checks_that_find_everybody_dead_are_not_believed():
    made = Seen(3)
    for host in (A, B, C):
        check(made, host, Verdict.FAILING)
    assert made.chosen() == {A, B, C}
    made.end(made.pick(), Outcome.SUCCESS)


def test_one_that_drains_is_not_chosen_even_in_a_panic():
    made = Seen([endpoints(1)[0].weighing(0), *endpoints(3)[1:]])
    made.fail(B, C)
    assert made.chosen() == {B, C}


def test_two_of_three_dead_are_no_panic_unless_a_share_says_so():
    made = Seen(3)
    made.fail(A, B)
    assert made.chosen() == {C}
    cautious = Seen(3, Trust(panic_share=0.5))
    cautious.fail(A, B)
    assert cautious.chosen() == {A, B, C}


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_that_makes_no_sense_is_refused(share: float):
    with pytest.raises(ValueError, match="panic_share"):
        Trust(panic_share=share)
