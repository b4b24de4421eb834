"""What active checks make of one result after another."""

from collections.abc import Sequence
from random import Random

import pytest

from storagebox.balance import Outcome
from storagebox.balance.health import Assessment
from storagebox.balance.health.checks import Finding, Progress, Result, Rhythm, Verdict
from storagebox.balance.health.trust import Trust
from storagebox.balance.node import Node
from tests.balance.seen import Seen

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"
UP, DOWN = Result(True), Result(False, told="HTTP 503")
WARN = Result(True, degraded=True)


def verdicts(results: list[Result], rhythm: Rhythm | None = None) -> list[str]:
    rhythm = rhythm or Rhythm()
    progress = Progress()
    seen: list[str] = []
    for result in results:
        progress = rhythm.after(progress, result)
        seen.append(progress.finding.verdict.value)
    return seen


def test_the_first_result_counts_at_once():
    assert verdicts([UP]) == ["well"]
    assert verdicts([DOWN]) == ["failing"]


def test_three_failures_in_a_row_fail_it_and_two_successes_bring_it_back():
    assert verdicts([UP, DOWN, DOWN, UP, DOWN, DOWN, DOWN]) == ["well"] * 6 + ["failing"]
    assert verdicts([DOWN, UP, DOWN, UP, UP]) == ["failing"] * 4 + ["well"]


def test_degraded_is_believed_at_once_both_ways():
    assert verdicts([UP, WARN, UP]) == ["well", "degraded", "well"]


def test_who_says_itself_that_it_goes_is_believed_at_once():
    assert verdicts([UP, Result(False, drains=True)]) == ["well", "failing"]


def test_a_doubt_is_settled_at_the_fast_interval():
    rhythm, random = Rhythm(jitter=0.0), Random(1)
    well = rhythm.after(Progress(), UP)
    assert rhythm.wait_s(Progress(), random) == 1.0
    assert rhythm.wait_s(well, random) == 5.0
    assert rhythm.wait_s(rhythm.after(well, DOWN), random) == 1.0


def test_intervals_are_jittered_around_their_mean():
    rhythm, random = Rhythm(interval_s=10, jitter=0.1), Random(1)
    well = rhythm.after(Progress(), UP)
    waits = [rhythm.wait_s(well, random) for _ in range(1000)]
    assert min(waits) >= 9
    assert max(waits) <= 11
    assert sum(waits) / 1000 == pytest.approx(10, abs=0.1)


def test_a_dead_server_is_found_within_what_the_rhythm_promises():
    for seed in range(50):
        rhythm, random = Rhythm(), Random(seed)
        progress = rhythm.after(Progress(), UP)
        now_s = rhythm.wait_s(progress, random)  # it died just after the check at 0
        while progress.finding.verdict is Verdict.WELL:
            now_s += rhythm.timeout_s
            progress = rhythm.after(progress, DOWN)
            now_s += rhythm.wait_s(progress, random)
        found_s = now_s - rhythm.wait_s(progress, random)
        assert found_s <= rhythm.found_dead_within_s + 2 * rhythm.jitter * rhythm.interval_s


def test_who_fails_checks_is_not_chosen_and_one_degraded_gets_an_eighth():
    made = Seen(3)
    made.balancer.checked(f"{A}:80", Finding(Verdict.FAILING, "HTTP 503"), 0.0)
    made.balancer.checked(f"{B}:80", Finding(Verdict.DEGRADED), 0.0)
    assert made.chosen() == {B, C}
    assert (made.weight(B), made.weight(C)) == (1 / 8, 1)
    assert made.standing(A) == "checks fail: HTTP 503"
    assert made.standing(B) == "degraded: gets 12%"


def test_first_checks_that_pass_are_no_reason_to_look_through_everybody(
    monkeypatch: pytest.MonkeyPatch,
):
    made, assessed = Seen(300), list[float]()
    assess = Trust.assess

    def counted(trust: Trust, nodes: Sequence[Node], now: float) -> Assessment:
        assessed.append(now)
        return assess(trust, nodes, now)

    monkeypatch.setattr(Trust, "assess", counted)
    for member in made.members:
        made.balancer.checked(member.id, Finding(Verdict.WELL), 0.0)
    assert assessed == []
    made.balancer.checked(made.members[0].id, Finding(Verdict.FAILING), 0.0)
    assert assessed == [0.0]


def test_a_finding_of_who_has_left_is_nobodys_matter():
    made = Seen(2)
    made.balancer.checked("nobody", Finding(Verdict.FAILING), 0.0)
    assert made.chosen() == {A, B}


@pytest.mark.parametrize("reinstates", [False, True])
def test_a_check_that_passes_ends_an_ejection_only_if_asked_to(reinstates: bool):
    made = Seen(3, Trust(checks_reinstate=reinstates))
    made.fail(A)
    made.balancer.checked(f"{A}:80", Finding(Verdict.WELL), 0.5)
    assert made.chosen() == {B, C}, "its time isn't over"
    made.now = 1.0
    made.balancer.checked(f"{A}:80", Finding(Verdict.WELL), 1.0)
    assert made.chosen() == ({A, B, C} if reinstates else {B, C})
    made.end(made.pick(), Outcome.SUCCESS)
    assert made.chosen() == {A, B, C}


def test_who_is_on_probation_is_not_tried_while_checks_fail():
    made = Seen(3)
    made.fail(A)
    made.balancer.checked(f"{A}:80", Finding(Verdict.FAILING), 0.0)
    made.now = 5.0
    assert made.pick().reason == "policy"


@pytest.mark.parametrize("wrong", [{"interval_s": 0.0}, {"jitter": 1.0}, {"fall": 0}])
def test_rhythms_that_make_no_sense_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="checks: "):
        Rhythm(**wrong)  # pyright: ignore[reportArgumentType]
