"""How often registries are asked, and what holds meanwhile: pure logic, time given."""

from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.balance import Endpoint
from storagebox.balance.resolver.backoff import Backoff, jittered
from storagebox.balance.resolver.holding import Holding
from storagebox.balance.resolver.token_bucket import TokenBucket

A, B = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80)


@given(st.integers(1, 10_000), st.integers())
def test_waits_double_scatter_by_a_half_and_end_at_the_longest(failures: int, seed: int):
    backoff = Backoff(first_s=1.0, max_s=60.0)
    mean_s = min(60.0, 2.0 ** min(failures - 1, 10))
    assert mean_s / 2 <= backoff.wait_s(failures, Random(seed)) <= mean_s * 1.5


def test_jitter_keeps_the_mean():
    random = Random(1)
    assert sum(jittered(10, random) for _ in range(2000)) / 2000 == pytest.approx(10, abs=0.3)


def test_a_bucket_lets_a_burst_through_and_then_one_at_a_time():
    bucket = TokenBucket(2, 15.0)
    assert [bucket.wait_s(0.0) for _ in range(2)] == [0.0, 0.0]
    assert bucket.wait_s(0.0) == 15.0
    assert bucket.wait_s(15.0) == 15.0, "the call that waited has spent that token"
    assert bucket.wait_s(1000.0) == 0.0


def test_a_bucket_never_lets_more_through_than_it_says():
    bucket, random, now, calls = TokenBucket(2, 15.0), Random(1), 0.0, 0
    while now < 1500.0:
        now += bucket.wait_s(now) + random.random()
        calls += 1
    assert calls <= 2 + 1500 / 15 + 1


def test_a_bucket_without_a_time_lets_everything_through():
    assert [TokenBucket(1, 0.0).wait_s(0.0) for _ in range(5)] == [0.0] * 5


class _Clock:
    """Calls that were asked for and not cancelled."""

    def __init__(self) -> None:
        self.due: list[_Call] = []

    def later(self, after_s: float, call: Callable[[], None]) -> "_Call":
        made = _Call(self, after_s, call)
        self.due.append(made)
        return made

    def fire(self) -> None:
        self.due.pop().call()


class _Call:
    def __init__(self, clock: _Clock, after_s: float, call: Callable[[], None]) -> None:
        self.clock, self.after_s, self.call = clock, after_s, call

    def cancel(self) -> None:
        self.clock.due.remove(self)


def holding() -> tuple[Holding, _Clock, list[list[str]]]:
    clock, published = _Clock(), list[list[str]]()

    def publish(endpoints: Sequence[Endpoint]) -> None:
        published.append([endpoint.host for endpoint in endpoints])

    return Holding(publish, 60.0, clock.later), clock, published


def test_what_is_the_same_is_published_once_whatever_its_order():
    made, _, published = holding()
    for endpoints in ([A, B], [B, A], [A, B, A]):
        made.see(endpoints)
    assert published == [["10.0.0.1", "10.0.0.2"]]


def test_nobody_at_first_is_published_at_once():
    made, _, published = holding()
    made.see([])
    assert published == [[]]


def test_nobody_after_somebody_waits_for_its_time():
    made, clock, published = holding()
    made.see([A])
    made.see([])
    made.see([])
    assert [call.after_s for call in clock.due] == [60.0]
    clock.fire()
    assert published == [["10.0.0.1"], []]
    made.see([])
    assert published == [["10.0.0.1"], []]
    made.see([B])
    assert published[-1] == ["10.0.0.2"]


def test_somebody_meanwhile_ends_the_wait():
    made, clock, published = holding()
    made.see([A])
    made.see([])
    made.see([A])
    assert clock.due == []
    assert published == [["10.0.0.1"]]
