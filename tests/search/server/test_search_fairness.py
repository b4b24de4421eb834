"""One application's flood is its own trouble: turns, rates, counts, and what is remembered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from storagebox.search.server.rates import Bucket, HourlyCounts
from storagebox.search.server.recent import KEPT, KEPT_S, Entry, Recent
from storagebox.search.server.turns import Line, Turns
from storagebox.search.writes.refused import Refused


def in_turns(work: Callable[[Turns], Coroutine[Any, Any, None]], threads: int = 1) -> None:
    async def run() -> None:
        turns = Turns(threads)
        try:
            await asyncio.wait_for(work(turns), 30)
        finally:
            turns.close()

    asyncio.run(run())


def test_short_work_of_others_comes_after_one_piece_of_a_flood() -> None:
    async def work(turns: Turns) -> None:
        order: list[str] = []
        flood, calm = Line(100, 1), Line(100, 1)
        pieces = [turns.short(flood, lambda: order.append("flood")) for _ in range(50)]
        pieces.append(turns.short(calm, lambda: order.append("calm")))
        await asyncio.gather(*pieces)
        assert order.index("calm") <= 1  # whoever came first had its turn, then the other
        assert order.count("flood") == 50

    in_turns(work)


def test_long_work_of_others_comes_after_one_piece_of_a_flood() -> None:
    async def work(turns: Turns) -> None:
        order: list[str] = []
        flood, calm = Line(100, 1), Line(100, 1)
        pieces = [
            asyncio.ensure_future(turns.long(flood, lambda: order.append("flood")))
            for _ in range(20)
        ]
        await asyncio.sleep(0)
        pieces.append(asyncio.ensure_future(turns.long(calm, lambda: order.append("calm"))))
        await asyncio.gather(*pieces)
        assert order.index("calm") <= 2
        assert order.count("flood") == 20

    in_turns(work)


def test_an_application_has_its_share_of_the_threads_and_no_more() -> None:
    async def work(turns: Turns) -> None:
        begun, go = threading.Semaphore(0), threading.Event()

        def wait() -> None:
            begun.release()
            go.wait(20)

        flood, calm = Line(100, 1), Line(100, 1)
        held = [asyncio.ensure_future(turns.long(flood, wait)) for _ in range(5)]
        assert await turns.long(calm, lambda: "served") == "served"
        assert flood.running == 1
        go.set()
        await asyncio.gather(*held)

    in_turns(work, threads=2)


def test_what_waits_is_bounded_and_what_is_beyond_is_told_to_come_again() -> None:
    async def work(turns: Turns) -> None:
        line = Line(3, 1)
        done: list[int] = []
        results = await asyncio.gather(
            *(turns.short(line, lambda: done.append(1)) for _ in range(10)),
            return_exceptions=True,
        )
        refused = [each for each in results if isinstance(each, Refused)]
        assert len(refused) == 10 - 1 - 3  # one had its turn at once, three waited
        assert all((each.status, each.retry_after_s) == (429, 1) for each in refused)
        assert len(done) == 4
        await turns.short(line, lambda: done.append(1))  # there is room again
        assert len(done) == 5

    in_turns(work)


def test_a_failure_is_its_callers() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async def work(turns: Turns) -> None:
        line = Line(10, 1)
        calls = [turns.short(line, fail) for _ in range(3)] + [turns.long(line, fail)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in results] == [ZeroDivisionError] * 4
        assert await turns.long(line, lambda: 1) == 1

    in_turns(work)


def test_work_that_nobody_waits_for_is_not_begun() -> None:
    async def work(turns: Turns) -> None:
        go = threading.Event()
        line, done = Line(10, 1), list[str]()
        first = asyncio.ensure_future(turns.long(line, lambda: go.wait(20)))
        given_up = asyncio.ensure_future(turns.long(line, lambda: done.append("given up")))
        last = asyncio.ensure_future(turns.long(line, lambda: done.append("last")))
        await asyncio.sleep(0)
        given_up.cancel()
        go.set()
        await asyncio.gather(first, last)
        assert done == ["last"]

    in_turns(work)


def test_a_bucket_gives_its_rate_and_a_burst() -> None:
    bucket = Bucket(10, 5)
    assert [bucket.take(0.0) for _ in range(5)] == [0.0] * 5
    assert bucket.take(0.0) == pytest.approx(0.1)
    assert bucket.take(0.1) == 0.0
    assert bucket.take(0.1) > 0
    assert [bucket.take(100.0) for _ in range(5)] == [0.0] * 5
    assert bucket.take(100.0) > 0
    assert Bucket(0).take(0.0) == 0.0


def test_an_hours_calls_are_counted_over_a_window_that_slides() -> None:
    counts = HourlyCounts()
    asker = ("key", "10.0.0.1")
    assert all(counts.count(asker, 4, 3600.0 * 5) for _ in range(4))
    assert not counts.count(asker, 4, 3600.0 * 5 + 10)
    assert counts.count(("key", "10.0.0.2"), 4, 3600.0 * 5)
    assert not counts.count(asker, 4, 3600.0 * 6)  # all four are within the hour before
    assert counts.count(asker, 4, 3600.0 * 6 + 1800)  # two of them are, by reckoning
    assert all(counts.count(asker, 4, 3600.0 * 8) for _ in range(4))


def test_askers_are_forgotten_before_memory_is_full() -> None:
    counts = HourlyCounts(max_askers=10)
    for number in range(1000):
        counts.count(("key", str(number)), 1, 0.0)
    assert not counts.count(("key", "999"), 1, 0.0)
    assert counts.count(("key", "0"), 1, 0.0)


def test_only_so_many_requests_are_kept_and_only_so_long() -> None:
    recent = Recent()

    def entry(at_s: float) -> Entry:
        return Entry(at_s, "GET", "/1/indexes", {}, "", b"", 200, b"", 1, "query")

    for number in range(KEPT + 10):
        recent.add(entry(number))
    kept = list(recent.latest(KEPT + 10))
    assert len(kept) == KEPT
    assert kept[0].at_s == KEPT + 9
    assert list(recent.latest(KEPT + 9 + KEPT_S)) == kept[:1]
