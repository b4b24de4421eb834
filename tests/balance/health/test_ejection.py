"""A server whose requests fail gets none for a while, then one to see."""

import pytest

from storagebox.balance import Endpoint, Outcome, Pick
from storagebox.balance.health.checks import Finding, Verdict
from storagebox.balance.health.ejection import Ejection
from storagebox.balance.health.slow_start import SlowStart
from storagebox.balance.health.trust import Trust
from tests.balance.seen import Seen

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"
EXACT = Ejection(jitter=0.0)


def seen(members: int = 3, ejection: Ejection = EXACT) -> Seen:
    return Seen(members, Trust(ejection))


def test_three_failures_in_a_row_eject_and_two_do_not():
    made = seen()
    made.fail(A, times=2)
    assert made.chosen() == {A, B, C}
    made.fail(A, times=1)
    assert made.chosen() == {B, C}
    assert made.standing(A) == "ejected for 1.0 s more: 3 failures in a row"


def test_two_of_three_can_be_ejected_and_when_all_fail_all_are_chosen():
    made = seen()
    made.fail(A, B)
    assert made.chosen() == {C}
    made.fail(C)
    assert made.chosen() == {A, B, C}
    assert made.pick().reason == "panic"


def test_a_success_in_a_panic_ends_the_ejection_of_who_answered():
    made = seen()
    made.fail(A, B)
    made.fail(C)
    made.now = 0.1
    while (pick := made.pick()).endpoint.host != B:
        pass
    made.end(pick, Outcome.SUCCESS)
    assert made.chosen() == {B}


def test_a_success_that_was_sent_before_the_ejection_ends_nothing():
    made = seen()
    picks = [made.pick() for _ in range(3)]
    early = next(pick for pick in picks if pick.endpoint.host == A)
    made.now = 1.0
    made.fail(A)
    made.now = 1.1
    made.end(early, Outcome.SUCCESS)
    assert made.chosen() == {B, C}


def test_a_failure_that_was_sent_before_the_recovery_counts_no_more():
    made = seen()
    picks = [made.pick() for _ in range(9)]
    early = [pick for pick in picks if pick.endpoint.host == A]
    made.now = 0.5
    made.fail(A)
    made.now = 2.0
    trial = made.pick()
    assert trial.reason == "probation"
    made.end(trial, Outcome.SUCCESS)
    for pick in early:
        made.end(pick, Outcome.FAILURE)
    assert made.chosen() == {A, B, C}


def test_one_request_at_a_time_tries_a_server_on_probation():
    made = seen()
    made.fail(A)
    made.now = 1.0
    assert [made.pick().reason for _ in range(10)].count("probation") == 1


def test_a_connection_held_for_long_does_not_keep_a_server_on_probation():
    made = seen()
    held = next(p for p in (made.pick() for _ in range(3)) if p.endpoint.host == A)
    made.fail(A)
    made.now = 1.0
    assert (held.endpoint.host, made.pick().reason) == (A, "probation")


def test_a_trial_without_an_end_does_not_block_the_next_for_ever():
    made = seen(ejection=Ejection(jitter=0.0, trial_patience_s=10.0))
    made.fail(A)
    made.now = 1.0
    assert made.pick().reason == "probation"
    made.now = 10.9
    assert made.pick().reason == "policy"
    made.now = 11.0
    assert made.pick().reason == "probation"


def test_a_trial_that_was_given_up_lets_another_try_at_once():
    made = seen()
    made.fail(A)
    made.now = 1.0
    made.end(made.pick(), Outcome.CANCELLED)
    assert made.pick().reason == "probation"


def test_each_failed_trial_doubles_the_time_up_to_the_longest():
    made = seen(ejection=Ejection(jitter=0.0, max_time_s=5.0))
    made.fail(A)
    waited: list[float] = []
    for _ in range(5):
        began = made.now
        while (pick := made.pick()).reason != "probation":
            made.end(pick, Outcome.SUCCESS)
            made.now += 0.25
        waited.append(made.now - began)
        made.end(pick, Outcome.FAILURE)
    assert waited == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_who_fails_again_soon_after_recovering_is_out_for_longer():
    made = seen()
    made.fail(A)
    made.now = 1.0
    made.end(made.pick(), Outcome.SUCCESS)
    made.fail(A)
    assert made.standing(A).startswith("ejected for 2.0 s")


def test_and_not_after_having_been_well_for_long():
    made = seen()
    made.fail(A)
    made.now = 1.0
    made.end(made.pick(), Outcome.SUCCESS)
    made.now = 11.5
    made.fail(A)
    assert made.standing(A).startswith("ejected for 1.0 s")


def test_a_share_of_failures_above_the_others_ejects_without_any_run_of_failures():
    made = seen()
    ended = 0
    while "ejected" not in made.standing(A):
        pick = made.pick(safe=False)
        if pick.endpoint.host == A:
            ended += 1
        failing = pick.endpoint.host == A and ended % 2 == 0
        made.end(pick, Outcome.FAILURE if failing else Outcome.SUCCESS)
        assert ended <= 21
    assert made.standing(A) == (
        "ejected for 1.0 s more: 50% of its requests failed, 0% of the others'"
    )


def test_a_share_of_failures_that_all_have_ejects_nobody():
    made = seen()
    for n in range(300):
        made.end(made.pick(safe=False), Outcome.FAILURE if n % 2 else Outcome.SUCCESS)
    assert made.chosen() == {A, B, C}


def half_fail(made: Seen, host: str, requests: int) -> None:
    """Up to so many requests to it end, each second one with a failure; all others succeed."""
    while requests and "ejected" not in made.standing(host):
        pick = made.pick(safe=False)
        its = pick.endpoint.host == host
        failing = its and requests % 2 == 0
        requests -= its
        made.end(pick, Outcome.FAILURE if failing else Outcome.SUCCESS)


def recovered(made: Seen, host: str) -> None:
    """Its time is over, and its trial succeeds."""
    made.now += 2.0
    pick = made.pick()
    assert (pick.endpoint.host, pick.reason) == (host, "probation")
    made.end(pick, Outcome.SUCCESS)
    assert made.chosen() == {A, B, C}


AT_ONCE = SlowStart(window_s=0.0)
OUTLIER = "% of its requests failed, 0% of the others'"


def test_what_an_ejected_server_failed_does_not_excuse_another_that_fails_half():
    made = Seen(3, Trust(EXACT, AT_ONCE))
    half_fail(made, A, 40)
    assert made.chosen() == {B, C}
    half_fail(made, B, 40)
    assert made.standing(B).endswith(OUTLIER)


def test_a_server_that_recovered_starts_with_a_clean_window():
    made = Seen(3, Trust(EXACT, AT_ONCE))
    half_fail(made, A, 40)
    recovered(made, A)
    made.fail(A, times=2)
    assert made.chosen() == {A, B, C}, "of what it failed before nothing counts"
    half_fail(made, A, 61)
    assert made.standing(A).endswith(OUTLIER)


def test_and_burdens_nobody_else_with_what_it_failed_before():
    made = Seen(3, Trust(EXACT, AT_ONCE))
    half_fail(made, A, 40)
    recovered(made, A)
    half_fail(made, C, 60)
    assert made.standing(C).endswith(OUTLIER)


@pytest.mark.parametrize("moves", [False, True])
def test_what_a_server_failed_that_left_or_moved_is_nobodys(moves: bool):
    made = Seen(3, Trust(Ejection(failures=100, volume=21, jitter=0.0), AT_ONCE))
    half_fail(made, A, 20)
    assert made.chosen() == {A, B, C}
    elsewhere = Endpoint("10.0.0.8", 80, id=f"{A}:80" if moves else "")
    made.update([elsewhere, *made.members[1:]])
    half_fail(made, B, 60)
    assert made.standing(B).endswith(OUTLIER)


def test_failures_of_an_age_ago_are_forgotten():
    made = seen(ejection=Ejection(failures=100, volume=20, jitter=0.0))
    made.fail(A, times=19)
    assert made.chosen() == {A, B, C}, "too few to tell"
    made.now = 40.0
    for _ in range(60):
        made.end(made.pick(), Outcome.SUCCESS)
    made.fail(A, times=1)
    assert made.chosen() == {A, B, C}


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.CLIENT_FAULT, Outcome.OVERLOADED])
def test_what_is_not_the_servers_failure_ejects_nobody(outcome: Outcome):
    made = seen()
    made.fail(A, times=50, outcome=outcome)
    assert A in made.chosen()


def test_jitter_only_shortens_and_differs_between_clients():
    ends: set[float] = set()
    for seed in range(20):
        made = Seen(3, Trust(Ejection(time_s=10.0, jitter=0.2)), seed)
        made.fail(A)
        ends.add(float(made.standing(A).split()[2]))
    assert min(ends) >= 8.0
    assert max(ends) <= 10.0
    assert len(ends) > 5


def test_of_many_that_fail_the_survivors_keep_the_company_of_a_third():
    made = seen(9)
    made.fail(*(f"10.0.0.{n}" for n in range(1, 9)))
    assert len(made.chosen()) == 3, "nine servers, of which no more than six are ejected"


def test_a_server_that_comes_back_at_another_address_is_a_new_one():
    made = seen()
    made.fail(A)
    moved = type(made.members[0])("10.0.0.99", 80, id=made.members[0].id)
    made.update([moved, *made.members[1:]])
    assert made.chosen() == {"10.0.0.99", B, C}
    assert made.standing("10.0.0.99") == "well, starting slowly: gets 10%"


@pytest.mark.parametrize(
    "wrong",
    [{"failures": 0}, {"time_s": 0.0}, {"max_share": 1.1}, {"jitter": 1.0}, {"time_s": 60.0}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="ejection: "):
        Ejection(**wrong)  # pyright: ignore[reportArgumentType]


def outpaced(made: Seen, host: str, times: int) -> None:
    """So many requests to it are outpaced by hedges, and then given up."""
    while times:
        pick = made.pick(safe=False)
        if pick.endpoint.host == host:
            times -= 1
            pick.outpaced(made.now)
            made.end(pick, Outcome.CANCELLED)
        else:
            made.end(pick, Outcome.SUCCESS)


def test_five_requests_in_a_row_that_were_outpaced_eject_and_four_do_not():
    made = seen()
    made.now = 1.0
    outpaced(made, A, times=4)
    assert made.chosen() == {A, B, C}
    outpaced(made, A, times=1)
    assert made.chosen() == {B, C}
    assert "outpaced by others sent later" in made.standing(A)


def test_who_answered_another_request_meanwhile_is_only_slow_and_stays():
    made = seen()
    for number in range(9):
        made.now = number + 1.0
        slow, quick = (pick_of(made, A) for _ in range(2))
        made.now += 0.1
        made.end(quick, Outcome.SUCCESS)
        slow.outpaced(made.now)
        made.end(slow, Outcome.CANCELLED)
    assert made.chosen() == {A, B, C}


def test_a_trial_that_is_outpaced_has_failed_and_is_not_counted_twice():
    made = seen()
    made.fail(A)
    made.now = 1.0
    trial = made.pick()
    assert trial.reason == "probation"
    made.now = 1.1
    trial.outpaced(made.now)
    made.end(trial, Outcome.FAILURE)
    assert made.standing(A) == "ejected for 2.0 s more: a trial was outpaced"
    assert made.pick().reason == "policy"


def test_a_check_that_passes_after_having_failed_has_a_request_try_at_once():
    made = seen(ejection=Ejection(time_s=20.0, jitter=0.0))
    made.fail(A)
    made.balancer.checked(f"{A}:80", Finding(Verdict.FAILING), 1.0)
    made.balancer.checked(f"{A}:80", Finding(Verdict.WELL), 2.0)
    made.now = 2.0
    assert made.chosen() == {B, C}
    pick = made.pick()
    assert (pick.endpoint.host, pick.reason) == (A, "probation")


def test_a_request_that_cannot_be_repeated_tries_only_whom_nobody_tried_for_long():
    made = seen()
    made.fail(A)
    made.now = 10.9
    assert made.pick(safe=False).reason == "policy"
    made.now = 11.0
    pick = made.pick(safe=False)
    assert (pick.endpoint.host, pick.reason) == (A, "probation")
    made.end(pick, Outcome.SUCCESS)
    assert made.chosen() == {A, B, C}


def pick_of(made: Seen, host: str) -> Pick:
    while (pick := made.pick(safe=False)).endpoint.host != host:
        made.end(pick, Outcome.SUCCESS)
    return pick


def test_of_few_requests_of_the_others_nothing_follows():
    made = Seen(2, Trust(EXACT))
    for n in range(60):
        pick = made.balancer.pick(made.now, tried=[f"{B}:80"], safe=False)
        made.end(pick, Outcome.FAILURE if n % 2 else Outcome.SUCCESS)
    assert made.chosen() == {A, B}, "B may be as ill, as far as anybody knows"


def test_requests_that_a_server_answered_another_one_beside_count_together_for_nothing():
    made = seen()
    made.now = 1.0
    slow = [pick_of(made, A) for _ in range(9)]
    quick = pick_of(made, A)
    made.now = 1.1
    made.end(quick, Outcome.SUCCESS)
    for pick in slow:
        pick.outpaced(1.2)
    assert made.chosen() == {A, B, C}


def test_requests_from_before_a_check_brought_it_back_do_not_eject_it_again():
    made = Seen(3, Trust(EXACT, checks_reinstate=True))
    made.now = 0.5
    early = [pick_of(made, A) for _ in range(9)]
    made.now = 0.6
    made.fail(A)
    made.now = 2.0
    made.balancer.checked(f"{A}:80", Finding(Verdict.WELL), made.now)
    assert made.chosen() == {A, B, C}
    for pick in early:
        pick.outpaced(made.now)
        made.end(pick, Outcome.FAILURE)
    assert made.chosen() == {A, B, C}


def test_a_check_that_passes_late_does_not_make_anybody_wait_longer():
    made = seen()
    made.fail(A)
    made.now = 10.0
    made.balancer.checked(f"{A}:80", Finding(Verdict.FAILING), made.now)
    made.balancer.checked(f"{A}:80", Finding(Verdict.WELL), made.now)
    made.now = 11.0
    assert made.pick(safe=False).reason == "probation", "10 s after its time was over, at 1 s"


def test_who_failed_first_stays_out_and_a_failed_trial_is_no_new_failure():
    made = seen(9)
    first = [f"10.0.0.{n}" for n in range(1, 7)]
    for host in first:
        made.now += 0.01
        made.fail(host)
    made.now = 0.5
    made.fail("10.0.0.7", "10.0.0.8")
    assert made.chosen() == {"10.0.0.7", "10.0.0.8", "10.0.0.9"}
    made.now = 2.0
    for _ in first:
        trial = made.pick()
        assert trial.reason == "probation"
        made.end(trial, Outcome.FAILURE)
    assert made.chosen() == {"10.0.0.7", "10.0.0.8", "10.0.0.9"}
