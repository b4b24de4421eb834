"""The store in SQLite: what it acknowledges it keeps, and writers and watchers see one order."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from storagebox.store.interface import (
    MAX_COMMIT_CHANGES,
    MAX_VALUE_BYTES,
    Change,
    CompactedError,
    ConflictError,
    DamagedError,
    Entry,
    Record,
    Store,
    StoreError,
    UnavailableError,
)
from storagebox.store.sqlite import MAX_DELETIONS, SqliteStore

Body = Callable[[Store], Coroutine[Any, Any, None]]


def _with_store(path: Path, body: Body) -> None:
    async def run() -> None:
        store = await SqliteStore.open(path)
        try:
            await asyncio.wait_for(body(store), 30)
        finally:
            await store.close()

    asyncio.run(run())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "store.sqlite"


def test_what_is_put_is_got_and_outlives_a_restart(path: Path) -> None:
    async def write(store: Store) -> None:
        assert await store.get("room") is None
        assert await store.put("room", b"Kitchen") == 1
        assert await store.put("room", b"Bath") == 2

    async def read(store: Store) -> None:
        assert await store.get("room") == Entry("room", b"Bath", 2)
        assert await store.revision() == 2

    _with_store(path, write)
    _with_store(path, read)


def test_of_two_who_read_the_same_only_one_writes(path: Path) -> None:
    async def body(store: Store) -> None:
        await store.put("room", b"0", if_revision=0)
        with pytest.raises(ConflictError) as fault:
            await store.put("room", b"again", if_revision=0)
        assert (fault.value.key, fault.value.revision) == ("room", 1)
        done = await asyncio.gather(
            *(store.put("room", bytes([n]), if_revision=1) for n in range(8)),
            return_exceptions=True,
        )
        assert [d for d in done if not isinstance(d, ConflictError)] == [2]
        with pytest.raises(ConflictError):
            await store.delete("room", if_revision=1)
        assert await store.delete("room", if_revision=2)
        assert not await store.delete("room")
        assert await store.put("room", b"new", if_revision=0) == 4

    _with_store(path, body)


def test_a_commit_is_whole_or_not_at_all(path: Path) -> None:
    async def body(store: Store) -> None:
        await store.put("a", b"1")
        with pytest.raises(ConflictError):
            await store.commit({"a": b"2", "b": b"2"}, {"a": 1, "b": 7})
        assert [e.value for e in await store.range("")] == [b"1"]
        assert await store.commit({"a": None, "b": b"2", "c": b"3"}, {"a": 1, "b": 0}) == 2
        assert await store.range("") == [Entry("b", b"2", 2), Entry("c", b"3", 2)]

    _with_store(path, body)


def test_a_range_is_in_order_of_keys_and_goes_on_where_it_stopped(path: Path) -> None:
    async def body(store: Store) -> None:
        for key in ("t/é", "t/b", "t/a", "s/a", "u", "t", "t/\U0001f3b5"):
            await store.put(key, key.encode())
        assert [e.key for e in await store.range("t/")] == ["t/a", "t/b", "t/é", "t/\U0001f3b5"]
        assert [e.key for e in await store.range("t/", limit=2)] == ["t/a", "t/b"]
        assert [e.key for e in await store.range("t/", after="t/b", limit=1)] == ["t/é"]

    _with_store(path, body)


def test_a_watcher_is_told_what_changed_after_its_revision(path: Path) -> None:
    async def body(store: Store) -> None:
        await store.put("t/old", b"1")
        await store.put("t/a", b"1")
        await store.put("other", b"1")
        changes = store.watch("t/", 1)
        assert await anext(changes) == Change("t/a", b"1", 2)
        waiting = asyncio.ensure_future(anext(changes))
        await store.put("other", b"2")
        await store.delete("t/a")
        assert await waiting == Change("t/a", None, 5)
        # One commit of many keys is told whole, though it comes in pages.
        keys = [f"t/{n:03d}" for n in range(MAX_COMMIT_CHANGES)]
        for _ in range(3):
            await store.commit(dict.fromkeys(keys, b"x"))
            told = [await anext(changes) for _ in keys]
            assert sorted(c.key for c in told) == keys

    _with_store(path, body)


def test_a_watcher_far_behind_loses_no_key(path: Path) -> None:
    async def body(store: Store) -> None:
        keys = [f"{n:04d}" for n in range(700)]
        for at in range(0, 700, 100):
            await store.commit(dict.fromkeys(keys[at : at + 100], b"x"))
        changes = store.watch("", 0)
        assert [(await anext(changes)).key for _ in keys] == keys

    _with_store(path, body)


def test_deletions_too_old_to_be_known_are_said_to_be(path: Path) -> None:
    async def body(store: Store) -> None:
        for at in range(0, MAX_DELETIONS + 200, 100):
            keys = [f"{at + n}" for n in range(100)]
            await store.commit(dict.fromkeys(keys, b"x"))
            await store.commit(dict.fromkeys(keys))
        with pytest.raises(CompactedError, match="read anew"):
            await anext(store.watch("", 0))
        latest = await store.revision()
        waiting = asyncio.ensure_future(anext(store.watch("", latest)))
        await store.put("new", b"1")
        assert (await waiting).key == "new"

    _with_store(path, body)


def test_a_log_numbers_its_records_without_gaps(path: Path) -> None:
    async def body(store: Store) -> None:
        assert await store.bounds("writes") == (1, 0)
        assert await store.append("writes", [b"a", b"b"]) == 2
        assert await store.append("writes", [b"c"], if_last=2) == 3
        with pytest.raises(ConflictError):
            await store.append("writes", [b"d"], if_last=2)
        assert await store.append("other", [b"x"]) == 1
        assert await store.read("writes", 2) == [Record(2, b"b"), Record(3, b"c")]
        assert await store.read("writes", 1, limit=1) == [Record(1, b"a")]
        assert await store.read("writes", 4) == []
        await store.trim("writes", 3)
        assert await store.bounds("writes") == (3, 3)
        with pytest.raises(CompactedError, match="trimmed"):
            await store.read("writes", 2)
        await store.trim("writes", 100)
        assert await store.bounds("writes") == (4, 3)
        assert await store.append("writes", [b"d"]) == 4

    _with_store(path, body)


def test_what_no_store_could_hold_is_refused_by_name(path: Path) -> None:
    async def body(store: Store) -> None:
        for key in ("", "a\0b", "k" * 513):
            with pytest.raises(ValueError, match="key is text"):
                await store.put(key, b"")
        with pytest.raises(ValueError, match="room"):
            await store.put("room", bytes(MAX_VALUE_BYTES + 1))
        with pytest.raises(ValueError, match="over the limit"):
            await store.commit({str(n): b"" for n in range(MAX_COMMIT_CHANGES + 1)})
        assert await store.revision() == 0

    _with_store(path, body)


def test_a_closed_store_says_so(path: Path) -> None:
    async def run() -> None:
        store = await SqliteStore.open(path)
        await store.close()
        await store.close()
        with pytest.raises(UnavailableError, match="closed"):
            await store.get("room")

    asyncio.run(run())


def test_a_damaged_file_is_named_and_set_aside_on_request(path: Path) -> None:
    path.parent.mkdir()
    told: list[str] = []

    async def run() -> None:
        for number in (1, 2):
            path.write_bytes(random.Random(number).randbytes(20_000))
            with pytest.raises(DamagedError, match=r"store.sqlite: the store is damaged"):
                await SqliteStore.open(path)
            store = await SqliteStore.open(path, told.append)
            await store.put("room", b"Kitchen")
            await store.close()
            assert f"damaged-{number}" in told[-1]
            assert path.with_name(f"store.sqlite.damaged-{number}").stat().st_size == 20_000

    asyncio.run(run())


def test_a_page_torn_in_a_store_is_noticed_at_the_start(path: Path) -> None:
    async def fill(store: Store) -> None:
        for n in range(200):
            await store.put(f"key {n}", bytes(1000))

    _with_store(path, fill)
    octets = bytearray(path.read_bytes())
    octets[4096 * 3 : 4096 * 20] = random.Random(1).randbytes(4096 * 17)
    path.write_bytes(octets)
    with pytest.raises(DamagedError):
        _with_store(path, fill)


def test_a_file_of_another_version_or_in_another_place_is_not_touched(path: Path) -> None:
    path.parent.mkdir()
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="another version"):
        asyncio.run(SqliteStore.open(path, print))
    assert path.exists()
    with pytest.raises(UnavailableError):
        asyncio.run(SqliteStore.open(path / "below" / "a file"))


_WRITER = """
import asyncio, sys
from pathlib import Path
from storagebox.store.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]))
    n = 0
    while True:
        n += 1
        await store.commit({"count": str(n).encode(), f"key {n}": b"x" * 500})
        last = await store.append("log", [str(n).encode()])
        print(n, last, flush=True)

asyncio.run(main())
"""


def test_a_kill_in_mid_write_loses_nothing_that_was_acknowledged(path: Path) -> None:
    rng = random.Random(11)
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(["host", "firmware"])},
        )
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]
        time.sleep(rng.uniform(0.0, 0.05))
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
        writer.wait()
        whole = [line.split() for line in lines if line.endswith(b"\n")]
        acknowledged, logged = (int(part) for part in whole[-1])

        async def check(store: Store, count: int = acknowledged, last: int = logged) -> None:
            held = await store.get("count")
            assert held is not None
            assert int(held.value) >= count
            for n in range(1, int(held.value) + 1):
                assert await store.get(f"key {n}") is not None  # whole commits only
            records = await store.read("log", 1, 100_000)
            assert len(records) >= last
            assert [r.index for r in records] == list(range(1, len(records) + 1))
            await store.commit({e.key: None for e in (await store.range("count"))})

        _with_store(path, check)
