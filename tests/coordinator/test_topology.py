"""The keeper of the topology: edits last, nonsense is refused, devices get in step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from phantom.authority import Authority, pair_id
from phantom.rpc import RpcError
from storagebox.coordinator.topology import PREFIX, TopologyKeeper
from storagebox.store.interface import UnavailableError
from storagebox.store.sqlite import SqliteStore

HERE = [("kitchen", "Kitchen"), ("bath", "Bath"), ("one", "One"), ("two", "Two")]


class Board:
    """A device's end of `topology.get` and `topology.put`, with pages of two entries."""

    def __init__(self, name: str) -> None:
        self.copy = Authority(name)
        self.calls: list[str] = []

    async def call(self, method: str, params: Mapping[str, Any]) -> Any:
        self.calls.append(method)
        params = json.loads(json.dumps(params))
        if method == "topology.put":
            self.copy.merge(params["entries"])
            return {"version": self.copy.version, "digest": self.copy.digest}
        if params["unless"] == self.copy.digest:
            return {"entries": [], "next": None, "digest": self.copy.digest}
        page, after = self.copy.entries(params["after"], 250)
        return json.loads(json.dumps({"entries": page, "next": after}))


@asynccontextmanager
async def keeper(path: Path, author: str = "box-1") -> AsyncIterator[TopologyKeeper]:
    store = await SqliteStore.open(path)
    made = TopologyKeeper(store, author, lambda: HERE)
    await made.load()
    try:
        yield made
    finally:
        await store.close()


Body = Callable[[TopologyKeeper], Coroutine[Any, Any, None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Body], None]:
    def run(body: Body) -> None:
        async def within() -> None:
            async with keeper(tmp_path / "store.sqlite") as made:
                await body(made)

        asyncio.run(within())

    return run


def _rooms(made: TopologyKeeper) -> dict[str, list[str]]:
    return {s.name: [f"{device} {side}" for device, side in s.devices] for s in made.systems()}


def test_every_device_that_is_here_is_a_room_before_anyone_names_it(
    run: Callable[[Body], None],
) -> None:
    async def body(made: TopologyKeeper) -> None:
        assert made.empty
        assert _rooms(made) == {
            "Kitchen": ["kitchen both"],
            "Bath": ["bath both"],
            "One": ["one both"],
            "Two": ["two both"],
        }
        assert made.device("kitchen").name == "Kitchen"

    run(body)


def test_edits_outlive_the_box(run: Callable[[Body], None]) -> None:
    seen: list[Any] = []

    async def edit(made: TopologyKeeper) -> None:
        system = await made.pair("one", "two", "Living room")
        assert system == pair_id("one", "two")
        await made.name_room("kitchen", "Küche")
        await made.name_device("bath", "Badezimmer")
        facts = await made.trim("one", trim_us=-500, max_volume=8000)
        assert (facts.trim_us, facts.level_db10, facts.max_volume) == (-500, 0, 8000)
        seen.append((made.version, made.digest, _rooms(made)))

    async def look(made: TopologyKeeper) -> None:
        assert (made.version, made.digest, _rooms(made)) == seen[0]
        assert _rooms(made) == {
            "Küche": ["kitchen both"],
            "Badezimmer": ["bath both"],
            "Living room": ["one left", "two right"],
        }
        assert made.device("one").trim_us == -500

    run(edit)
    run(look)


def test_a_pair_can_be_swapped_and_parted(run: Callable[[Body], None]) -> None:
    async def body(made: TopologyKeeper) -> None:
        await made.pair("one", "two", "Living room")
        system = await made.pair("two", "one")
        assert _rooms(made)["Living room"] == ["two left", "one right"]
        assert made.system_of("one").kind == "pair"
        assert await made.unpair(system) == ("two", "one")
        assert _rooms(made)["One"] == ["one both"]
        assert "Living room" not in _rooms(made)

    run(body)


def test_a_forgotten_half_leaves_its_partner_alone(run: Callable[[Body], None]) -> None:
    async def body(made: TopologyKeeper) -> None:
        await made.pair("one", "two", "Living room")
        await made.trim("one", trim_us=700)
        await made.forget("one")
        assert made.device("one").trim_us == 0
        assert made.devices() == ["two"]
        assert made.system_of("two").devices == (("two", "both"),)

    run(body)


def test_a_solo_device_may_play_one_side_only(run: Callable[[Body], None]) -> None:
    async def body(made: TopologyKeeper) -> None:
        await made.side("kitchen", "left")
        assert made.system_of("kitchen").devices == (("kitchen", "left"),)

    run(body)


def test_nonsense_is_refused_with_a_remedy_and_changes_nothing(
    run: Callable[[Body], None],
) -> None:
    async def body(made: TopologyKeeper) -> None:
        pair = await made.pair("one", "two", "Living room")
        digest = made.digest
        for edit, remedy in (
            (made.pair("kitchen", "kitchen"), "two devices"),
            (made.pair("kitchen", "garage"), "no device 'garage'; there are: bath, kitchen"),
            (made.pair("kitchen", "one"), "unpair that first"),
            (made.unpair("kitchen"), "no pair"),
            (made.unpair("garage"), "no system 'garage'; there are: bath (Bath)"),
            (made.name_room("kitchen", "living ROOM"), "choose another name"),
            (made.name_room("kitchen", " "), "name must be a text"),
            (made.name_room("kitchen", "x" * 65), "at most 64 bytes"),
            (made.name_device("kitchen", "a\nb"), "control characters"),
            (made.trim("kitchen", trim_us=200_001), "trim_us must be a whole number"),
            (made.trim("kitchen", level_db10=1), "level_db10 must be"),
            (made.side("one", "mono"), "the pair's"),
            (made.side("kitchen", "front"), "side must be one of"),
            (made.forget("garage"), "no device"),
        ):
            with pytest.raises(RpcError) as refused:
                await edit
            assert remedy in refused.value.message
        assert made.digest == digest
        assert made.system_of("one").id == pair

    run(body)


def test_watchers_hear_of_each_change_once(run: Callable[[Body], None]) -> None:
    async def body(made: TopologyKeeper) -> None:
        told: list[list[str]] = []
        stop = made.subscribe(told.append)
        await made.name_room("kitchen", "Küche")
        board = Board("kitchen")
        await made.sync(board)
        assert told == [["s:kitchen"]]
        stop()
        await made.name_room("kitchen", "Cuisine")
        assert len(told) == 1

    run(body)


def test_a_device_that_missed_changes_catches_up_and_one_in_step_is_asked_once(
    run: Callable[[Body], None],
) -> None:
    async def body(made: TopologyKeeper) -> None:
        board = Board("kitchen")
        for n in range(30):
            await made.name_room("kitchen", f"Room {n}")
        await made.pair("one", "two", "Living room")
        for device in ("kitchen", "bath"):
            await made.trim(device, trim_us=5)
        assert await made.sync(board)
        assert (board.copy.digest, board.copy.version) == (made.digest, made.version)
        board.calls.clear()
        assert await made.sync(board)
        assert board.calls == ["topology.get"]

    run(body)


def test_a_box_with_a_new_disk_learns_the_house_from_its_boards(tmp_path: Path) -> None:
    async def body() -> None:
        board = Board("kitchen")
        async with keeper(tmp_path / "old.sqlite") as old:
            await old.pair("one", "two", "Living room")
            await old.forget("bath")
            await old.sync(board)
            rooms, digest = _rooms(old), old.digest
        async with keeper(tmp_path / "new.sqlite", "box-2") as new:
            assert new.empty
            assert await new.sync(board)
            assert (_rooms(new), new.digest) == (rooms, digest)
        async with keeper(tmp_path / "new.sqlite", "box-2") as again:
            assert again.digest == digest

    asyncio.run(body())


def test_offline_changes_on_a_box_and_a_device_end_alike(run: Callable[[Body], None]) -> None:
    async def body(made: TopologyKeeper) -> None:
        board = Board("zz-device")
        await made.name_room("kitchen", "Box says")
        board.copy.apply("s:kitchen", {"name": "Device says"})  # same counter, greater author
        board.copy.apply("s:bath", {"name": "Wet room"})
        assert await made.sync(board)
        assert made.digest == board.copy.digest
        assert {"Device says", "Wet room"} <= _rooms(made).keys()

    run(body)


def test_a_device_that_answers_nonsense_changes_nothing(run: Callable[[Body], None]) -> None:
    async def body(made: TopologyKeeper) -> None:
        class Liar:
            def __init__(self, answer: Any) -> None:
                self.answer = answer

            async def call(self, method: str, params: Mapping[str, Any]) -> Any:
                return self.answer

        good = ["s:bath", 1, "x", {"name": "Bath"}]
        for answer, fault in (
            (None, "no list of entries"),
            ({"entries": 7}, "no list of entries"),
            ({"entries": [["s:bath", 1, "x", {"name": 7}]]}, "entries[0]: name"),
            ({"entries": [good], "next": "s:bath"}, "over 256"),  # for ever the same page
        ):
            with pytest.raises(RpcError) as refused:
                await made.sync(Liar(answer))
            assert fault in refused.value.message
        assert made.empty

    run(body)


def test_a_change_that_can_not_be_kept_does_not_count(tmp_path: Path) -> None:
    async def body() -> None:
        store = await SqliteStore.open(tmp_path / "store.sqlite")
        made = TopologyKeeper(store, "box-1", lambda: HERE)
        await store.close()
        with pytest.raises(UnavailableError):
            await made.name_room("kitchen", "Küche")
        assert made.empty

    asyncio.run(body())


def test_damaged_entries_in_the_store_are_left_out_and_named(tmp_path: Path) -> None:
    async def body() -> None:
        async with keeper(tmp_path / "store.sqlite") as made:
            await made.name_room("kitchen", "Küche")
        store = await SqliteStore.open(tmp_path / "store.sqlite")
        for key, value in (("s:bath", b"\xff"), ("s:one", b"7"), ("s:two", b'[1, "x", {}]')):
            await store.put(PREFIX + key, value)
        made = TopologyKeeper(store, "box-1", lambda: HERE)
        await made.load()
        assert made.version == 1
        assert [fault.split(":")[1].strip() for fault in made.faults] == ["topology/s"] * 3
        await store.close()

    asyncio.run(body())
