"""Least expected wait among servers of which one has stopped answering: silence is news, too."""

from itertools import pairwise
from random import Random

import pytest

from storagebox.balance import Balancer, LoadReport, Outcome, Pick
from storagebox.balance.load.expected_wait import Expectation, ExpectedWait
from storagebox.balance.node import Node
from storagebox.balance.picker.least_expected_wait import LeastExpectedWait
from tests.balance.seen import endpoints
from tests.balance.served import end, nodes

USUAL_S = 0.01
IDLE = LoadReport(in_flight=0, utilisation=0.5, requests_per_s=50)


def answering(unanswered: int = 0, since_s: float = 1.0) -> tuple[Node, Expectation]:
    """A server that has taken `USUAL_S` for each answer until `since_s`."""
    policy = LeastExpectedWait()
    [node] = nodes(policy, 1)
    for _ in range(5):
        node.began(since_s - USUAL_S)
        end(policy, node, since_s, USUAL_S, report=IDLE)
    for _ in range(unanswered):
        node.began(since_s)
    return node, node.load


def test_silence_says_nothing_until_it_is_longer_than_usual_and_then_ever_more():
    node, known = answering(unanswered=1)
    heard = [known.silence(node, 1.0 + quiet * USUAL_S) for quiet in (0.5, 1.0, 2, 4, 8, 100)]
    assert heard[:2] == pytest.approx([0, 0], abs=1e-9)
    assert all(later > earlier for earlier, later in pairwise(heard[1:]))


def test_silence_counts_for_each_request_that_waits_and_for_none_if_none_does():
    said = [known.silence(node, 2.0) for node, known in map(answering, (0, 1, 2, 6))]
    assert said[0] == 0
    assert said[1:] == pytest.approx([said[1], 2 * said[1], 6 * said[1]])


def test_a_request_of_a_thousand_times_as_long_counts_as_no_more_than_seven():
    node, known = answering(unanswered=1)
    assert 6 < known.silence(node, 1.0 + 1000 * USUAL_S) < 7


def test_any_answer_ends_the_silence():
    node, known = answering(unanswered=2)
    assert known.silence(node, 2.0) > 0
    end(LeastExpectedWait(), node, 2.0, 1.0)
    assert known.silence(node, 2.0) == 0


def test_what_was_cancelled_is_no_answer():
    node, known = answering(unanswered=2)
    before = known.silence(node, 2.0)
    end(LeastExpectedWait(), node, 2.0, 1.0, Outcome.CANCELLED)
    assert known.silence(node, 2.0) == pytest.approx(before / 2)


def test_nothing_is_usual_before_the_first_answer():
    policy = LeastExpectedWait()
    [node] = nodes(policy, 1)
    node.began(0.0)
    assert node.load.silence(node, 100.0) == 0


def test_an_answer_that_was_stuck_hardly_changes_what_is_usual():
    known = Expectation(0.0)
    for latency_s in [USUAL_S] * 100 + [200 * USUAL_S]:
        known.took(latency_s)
    assert known.usual_s == pytest.approx(USUAL_S, rel=0.2)


def test_what_is_usual_follows_what_answers_take():
    known = Expectation(0.0)
    for latency_s in [USUAL_S] * 100 + [5 * USUAL_S] * 150:
        known.took(latency_s)
    assert known.usual_s == pytest.approx(5 * USUAL_S, rel=0.02)


def test_an_answer_that_took_no_time_at_all_is_no_measure():
    known = Expectation(0.0)
    for latency_s in (0.0, USUAL_S):
        known.took(latency_s)
    assert 0 < known.usual_s <= USUAL_S


def test_own_requests_and_silence_are_compared_where_nobody_tells_anything():
    measure = ExpectedWait()
    node, _ = answering(unanswered=1)
    assert measure.own(node, 1.0) == 1
    assert measure.own(node, 2.0) > 2


def caught(policy: LeastExpectedWait, telling: bool, seed: int) -> int:
    """How many requests a server gets in the 2 s after it stops answering. It was idle when it
    last told anything; two others hold three to six requests of other clients each."""
    balancer = Balancer(policy, random=Random(seed))
    balancer.update(endpoints(3), 0.0)
    stopped = endpoints(3)[0].id
    random = Random(seed)
    now, got, under_way = 0.0, 0, list[tuple[float, Pick]]()
    while now < 4.0:
        now += random.expovariate(60)
        for due in [due for due in under_way if due[0] <= now]:
            under_way.remove(due)
            held = 0 if due[1].endpoint.id == stopped else random.randrange(3, 7)
            report = LoadReport(in_flight=held, utilisation=0.5, requests_per_s=200)
            due[1].done(Outcome.SUCCESS, now, report if telling else None)
        pick = balancer.pick(now)
        if pick.endpoint.id == stopped and now >= 2.0:
            got += 1
        else:
            under_way.append((now + random.lognormvariate(-5, 0.5), pick))
    return got


@pytest.mark.parametrize("telling", [False, True])
def test_a_server_that_stands_still_catches_no_more_than_four(telling: bool):
    got = [caught(LeastExpectedWait(), telling, seed) for seed in range(5)]
    assert 1 <= min(got) <= max(got) <= 4, "seven or eight if silence said nothing"


def test_an_answer_whose_body_comes_for_long_is_no_silence():
    balancer = Balancer(LeastExpectedWait(), random=Random(1))
    balancer.update(endpoints(2), 0.0)
    for at in range(10):
        balancer.pick(at * 1.0).done(Outcome.SUCCESS, at + USUAL_S, IDLE)
    streams = [balancer.pick(20.0) for _ in range(2)]
    nodes_ = {pick.node for pick in streams}
    assert len(nodes_) == 2
    for pick in streams:
        pick.answered(20.0 + USUAL_S)
        pick.answered(20.0 + 2 * USUAL_S)  # whoever notices may say so
    assert [node.load.silence(node, 60.0) for node in nodes_] == [0, 0]
    streams[0].done(Outcome.SUCCESS, 60.0)
    assert [node.unanswered for node in nodes_] == [0, 0]
