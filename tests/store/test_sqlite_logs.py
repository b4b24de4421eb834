"""Logs in SQLite: an operation is appended once however often it is tried; readers follow."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from storagebox.store import sqlite_logs
from storagebox.store.interface import (
    OPERATION_KEPT_S,
    CompactedError,
    ConflictError,
    Record,
    Store,
    UnavailableError,
)
from storagebox.store.sqlite import SqliteStore

Body = Callable[[SqliteStore], Coroutine[Any, Any, None]]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def run(tmp_path: Path, clock: Clock) -> Callable[[Body], None]:
    def with_store(body: Body) -> None:
        async def whole() -> None:
            store = await SqliteStore.open(tmp_path / "store.sqlite", clock=clock)
            try:
                await asyncio.wait_for(body(store), 30)
            finally:
                await store.close()

        asyncio.run(whole())

    return with_store


def test_an_operation_tried_again_is_not_done_again(run: Callable[[Body], None]) -> None:
    async def first(store: Store) -> None:
        assert await store.append("writes", [b"a", b"b"], operation="one") == 2
        assert await store.append("writes", [b"a", b"b"], operation="one") == 2
        assert await store.append("writes", [b"c"], operation="two") == 3
        assert await store.append("other", [b"x"], operation="one") == 1  # of another log

    async def after_a_restart(store: Store) -> None:
        assert await store.append("writes", [b"a", b"b"], operation="one") == 2
        tries = (store.append("writes", [b"d"], operation="three") for _ in range(5))
        assert await asyncio.gather(*tries) == [4] * 5
        assert [r.data for r in await store.read("writes", 1)] == [b"a", b"b", b"c", b"d"]
        await store.trim("writes", 5)
        assert await store.append("writes", [b"d"], operation="three") == 4

    run(first)
    run(after_a_restart)


def test_an_operation_is_known_for_its_time_and_among_the_latest(
    run: Callable[[Body], None], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_logs, "MIN_OPERATIONS", 2)

    async def body(store: Store) -> None:
        for name in "abc":
            await store.append("writes", [name.encode()], operation=name)
        clock.now += OPERATION_KEPT_S - 1
        await store.append("writes", [b"d"], operation="d")
        assert await store.append("writes", [b"a"], operation="a") == 1
        clock.now += 1_000_000  # a clock that was set: the latest are known all the same
        await store.append("writes", [b"e"], operation="e")
        assert await store.append("writes", [b"d"], operation="d") == 4
        assert await store.append("writes", [b"a"], operation="a") == 6

    run(body)


def test_appends_at_once_are_numbered_in_order_and_a_conflict_harms_no_other(
    run: Callable[[Body], None],
) -> None:
    async def body(store: Store) -> None:
        appends = [store.append("writes", [str(n).encode()]) for n in range(200)]
        appends[100:100] = [store.append("writes", [b"no"], if_last=0)]
        done = await asyncio.gather(*appends, return_exceptions=True)
        assert isinstance(done.pop(100), ConflictError)
        assert done == list(range(1, 201))
        records = await store.read("writes", 1)
        assert [r.data for r in records] == [str(n).encode() for n in range(200)]

    run(body)


def test_an_append_that_was_given_up_leaves_the_others_alone(
    run: Callable[[Body], None],
) -> None:
    async def body(store: Store) -> None:
        given_up = asyncio.ensure_future(store.append("writes", [b"a"]))
        other = asyncio.ensure_future(store.append("writes", [b"b"]))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await other == 2

    run(body)


def test_a_tail_tells_every_record_once_in_order(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        async def take(count: int) -> list[Record]:
            got: list[Record] = []
            async for page in store.tail("writes", 2):
                assert page
                got += page
                if len(got) >= count:
                    break
            return got

        await store.append("writes", [b"1", b"2"])
        reader = asyncio.ensure_future(take(2001))
        for at in range(3, 2003, 40):
            await store.append("writes", [str(n).encode() for n in range(at, at + 40)])
            await store.append("other", [b"noise"])
        got = await reader
        assert got == [Record(n, str(n).encode()) for n in range(2, 2003)]
        await store.trim("writes", 3)
        with pytest.raises(CompactedError, match="trimmed"):
            await take(1)

    run(body)


def test_a_tail_ends_with_its_store(run: Callable[[Body], None]) -> None:
    async def body(store: SqliteStore) -> None:
        async def all_pages() -> list[list[Record]]:
            return [page async for page in store.tail("writes", 1)]

        await store.append("writes", [b"1"])
        reader = asyncio.ensure_future(all_pages())
        await asyncio.sleep(0.01)
        await store.close()
        assert await reader == [[Record(1, b"1")]]
        with pytest.raises(UnavailableError):
            await store.append("writes", [b"2"])

    run(body)


def test_a_page_is_no_larger_than_asked_but_for_one_record(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        await store.append("writes", [bytes(100)] * 5 + [bytes(1000)])
        assert len(await store.read("writes", 1, page_bytes=300)) == 3
        assert len(await store.read("writes", 6, page_bytes=300)) == 1
        assert len(await store.read("writes", 1)) == 6

    run(body)


def test_a_long_log_is_trimmed_whole(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        await store.append("writes", [b"x"] * 3000)
        await store.trim("writes", 2900)
        assert await store.bounds("writes") == (2900, 3000)

    run(body)


def test_a_log_can_begin_where_another_ended(run: Callable[[Body], None]) -> None:
    async def body(store: Store) -> None:
        await store.begin("writes", 501)
        assert await store.bounds("writes") == (501, 500)
        assert await store.append("writes", [b"a"]) == 501
        with pytest.raises(ConflictError):
            await store.begin("writes", 900)
        await store.trim("writes", 502)
        await store.begin("writes", 7)  # never back
        assert await store.append("writes", [b"b"]) == 502

    run(body)


def test_a_file_of_the_version_without_operations_is_taken_over(
    tmp_path: Path, run: Callable[[Body], None]
) -> None:
    async def write(store: Store) -> None:
        await store.put("room", b"Kitchen")
        await store.append("writes", [b"a"])

    async def read(store: Store) -> None:
        held = await store.get("room")
        assert held is not None
        assert held.value == b"Kitchen"
        assert await store.append("writes", [b"b"], operation="one") == 2

    run(write)
    database = sqlite3.connect(tmp_path / "store.sqlite")
    database.executescript("DROP TABLE operations; PRAGMA user_version = 1")
    database.close()
    run(read)
