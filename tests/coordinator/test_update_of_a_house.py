"""The command `update` over a house: whose turn it is, when it stops, and what it says of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from phantom.rpc import INVALID_PARAMS, REFUSED, RpcError
from storagebox.coordinator.updates.board import BoardUpdate, Told
from storagebox.coordinator.updates.bundle import Bundle
from storagebox.coordinator.updates.candidate import Candidate
from storagebox.coordinator.updates.house import HouseUpdates
from tests.coordinator.living_boards import (
    CRASHES,
    NEW_VERSION,
    OLD_VERSION,
    Clock,
    LivingBoard,
    lives,
    write_bundle,
)
from tests.firmware.updating import KEY


@pytest.fixture(autouse=True, scope="module")
def _lives() -> Iterator[None]:
    with lives():
        yield


class House:
    """Boards by room, and the box's side of their updates; `order` is whose turn it was."""

    def __init__(self, folder: Path, *rooms: str) -> None:
        self.clock = Clock()
        self.boards: list[LivingBoard] = []
        for room in rooms:
            board = LivingBoard(self.clock, folder, room.lower())
            board.room = room
            self.boards.append(board)
        self.order: list[str] = []
        self.at_once = 0
        self.updates = HouseUpdates(self._candidates, self._one)
        self.bundle = str(write_bundle(folder / "new.phantom"))

    def __getitem__(self, room: str) -> LivingBoard:
        return next(board for board in self.boards if board.room == room)

    def _candidates(self, rooms: Sequence[str] | None) -> list[Candidate]:
        return [board for board in self.boards if rooms is None or board.room in rooms]

    async def _one(self, board: Candidate, bundle: Bundle, force: bool, told: Told) -> None:
        self.order.append(board.room)
        self.at_once += 1
        assert self.at_once == 1
        try:
            update = BoardUpdate(
                board,
                bundle,
                KEY,
                force=force or board.safe,
                told=told,
                now_s=lambda: self.clock.now_s,
                sleep=self.clock.sleep,
            )
            await update.run()
        finally:
            self.at_once -= 1

    def rows(self) -> dict[str, dict[str, Any]]:
        """The job's, by room."""
        return {row["room"]: row for row in self.updates.job.as_dict()["boards"]}

    def states(self) -> dict[str, str]:
        """The same, in a word each."""
        return {room: row["state"] for room, row in self.rows().items()}

    def run(self, rooms: Sequence[str] | None = None, force: bool = False) -> dict[str, Any]:
        """A job from its beginning to its end."""

        async def story() -> None:
            await self.updates.update([self.bundle], rooms, force)
            await self.over()

        asyncio.run(story())
        return self.updates.job.as_dict()

    async def over(self) -> None:
        """The job's end."""
        while self.updates.job.running:
            await asyncio.sleep(0)

    def refuses(self, order: Callable[[], Awaitable[object]]) -> RpcError:
        """What the order is answered with."""

        async def story() -> None:
            await order()

        with pytest.raises(RpcError) as caught:
            asyncio.run(story())
        return caught.value


@pytest.fixture(name="house")
def _house(tmp_path: Path) -> House:
    return House(tmp_path, "Kitchen", "Bath", "Den")


def test_all_boards_are_updated_one_after_another(house: House):
    job = house.run()
    assert house.order == ["Kitchen", "Bath", "Den"]
    assert job["ok"]
    assert not job["running"]
    assert job["boards"][1] == {
        "device": "bath",
        "room": "Bath",
        "before": OLD_VERSION,
        "version": NEW_VERSION,
        "state": "done",
        "done": 0,
        "of": 0,
        "reason": "",
        "left": "",
    }
    assert [board.version for board in house.boards] == [NEW_VERSION] * 3


def test_only_the_rooms_that_were_named_are_updated(house: House):
    assert house.run(["Bath"])["ok"]
    assert [board.version for board in house.boards] == [OLD_VERSION, NEW_VERSION, OLD_VERSION]


def test_boards_in_safe_mode_go_first_then_the_silent_and_that_is_decided_anew(house: House):
    house["Kitchen"].music = True
    house["Den"].slot = "safe"
    house.clock.after(3, lambda: setattr(house["Bath"], "music", True))
    house.clock.after(3, lambda: setattr(house["Kitchen"], "music", False))
    house.clock.after(60, lambda: setattr(house["Bath"], "music", False))
    assert house.run()["ok"]
    assert house.order == ["Den", "Kitchen", "Bath"]


def test_the_first_failure_ends_it_and_the_others_keep_what_they_have(house: House):
    house["Bath"].nature[NEW_VERSION] = CRASHES
    job = house.run()
    assert not job["ok"]
    assert house.states() == {"Kitchen": "done", "Bath": "failed", "Den": "held"}
    assert "broken on purpose" in house.rows()["Bath"]["reason"]
    assert house.rows()["Bath"]["left"] == f"back on {OLD_VERSION}"
    assert house.rows()["Den"]["reason"] == "Bath failed"
    assert house["Den"].calls == []


def test_a_fault_of_the_box_ends_it_as_well(house: House, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(Bundle, "signed", broken)
    house.run()
    assert house.states() == {"Kitchen": "failed", "Bath": "held", "Den": "held"}
    assert house.rows()["Kitchen"]["reason"] == "a fault of the box: ZeroDivisionError('of ours')"


def test_a_job_that_is_asked_for_again_goes_on_where_the_boards_are(house: House):
    house["Bath"].nature[NEW_VERSION] = CRASHES
    house.run()
    del house["Bath"].nature[NEW_VERSION]
    assert not house.run()["ok"]
    assert house.states() == {"Kitchen": "current", "Bath": "skipped", "Den": "done"}
    assert house.rows()["Bath"]["reason"] == (
        f"{NEW_VERSION} has failed there before: insist on it by --force"
    )
    assert house.run(["Bath"], force=True)["ok"]
    job = house.run()
    assert job["ok"]
    assert set(house.states().values()) == {"current"}


def test_a_board_that_goes_away_before_its_turn_is_no_failure(house: House):
    house.clock.after(2, house["Bath"].unplug)
    job = house.run()
    assert house.states() == {"Kitchen": "done", "Bath": "skipped", "Den": "done"}
    assert house.rows()["Bath"]["reason"].startswith("away: no sign of life")
    assert not job["ok"]


def test_one_that_is_away_for_a_while_gets_its_turn_last(house: House):
    house["Kitchen"].slot = house["Bath"].slot = "safe"
    house.clock.after(2, lambda: house["Bath"].unplug(40))
    assert house.run()["ok"]
    assert house.order == ["Kitchen", "Den", "Bath"]


def test_what_can_not_be_updated_is_told_with_the_remedy(house: House):
    house["Kitchen"].unplug()
    house["Bath"].slot = "frozen"
    house["Den"].arch, house["Den"].kind = "rv32imc", "esp32_generic_c3"
    write_bundle(Path(house.bundle), arch="xtensawin")
    house["Bath"].arch = "xtensawin"
    assert not house.run()["ok"]
    assert set(house.states().values()) == {"skipped"}
    told = {room: row["reason"] for room, row in house.rows().items()}
    assert told == {
        "Kitchen": "away: no sign of life: has it power and Wi-Fi?",
        "Bath": "its code is in its image: flash it over its serial line, by `phantom flash`",
        "Den": "no bundle for esp32_generic_c3, which runs rv32imc: "
        "make one: phantom bundle --arch rv32imc",
    }
    assert house.order == []


def test_a_computer_that_plays_is_none_of_all_boards_but_may_be_named(house: House):
    house["Den"].slot = ""
    assert house.run()["ok"]
    assert list(house.states()) == ["Kitchen", "Bath"]
    assert not house.run(["Den"])["ok"]
    assert "comes with its package" in house.rows()["Den"]["reason"]


def test_a_cancelled_job_begins_no_further_board_and_says_how_it_left_this_one(house: House):
    async def story(when: str) -> None:
        await house.updates.update([house.bundle])
        row = house.updates.job.rows[0]
        while row.state != when:
            await asyncio.sleep(0)
        assert await house.updates.cancel()
        assert not await house.updates.cancel()

    asyncio.run(story("receiving"))
    assert house.states() == {"Kitchen": "cancelled", "Bath": "held", "Den": "held"}
    assert house.rows()["Kitchen"]["left"] == f"runs {OLD_VERSION} as before"
    assert house.rows()["Bath"]["reason"] == "cancelled"
    assert not house.updates.job.as_dict()["ok"]
    asyncio.run(story("trial"))
    assert house.rows()["Kitchen"]["left"] == (
        f"on trial with {NEW_VERSION}: it settles that by itself"
    )
    assert house.run()["ok"]


def test_there_is_one_job_at_a_time_even_while_its_files_are_read(house: House):
    async def story() -> None:
        first = asyncio.ensure_future(house.updates.update([house.bundle]))
        await asyncio.sleep(0)
        with pytest.raises(RpcError, match="--watch") as caught:
            await house.updates.update([house.bundle])
        assert caught.value.code == REFUSED
        await first
        with pytest.raises(RpcError, match="under way"):
            await house.updates.update([house.bundle])
        await house.over()

    asyncio.run(story())
    assert house.updates.job.as_dict()["ok"]
    assert len(house.order) == 3


def test_a_job_whose_files_are_read_yet_can_be_cancelled(house: House):
    async def story() -> None:
        first = asyncio.ensure_future(house.updates.update([house.bundle]))
        await asyncio.sleep(0)
        assert await house.updates.cancel()
        with pytest.raises(RpcError, match="cancelled"):
            await first

    asyncio.run(story())
    assert house.order == []
    assert house.run()["ok"]


@pytest.mark.parametrize(
    ("order", "code", "words"),
    [
        ({"bundles": None}, INVALID_PARAMS, "bundles must be a list of paths"),
        ({"bundles": [3]}, INVALID_PARAMS, "bundles must be a list of paths"),
        ({"bundles": ["/nowhere.phantom"]}, INVALID_PARAMS, "/nowhere.phantom: No such file"),
        ({"bundles": [], "force": 1}, INVALID_PARAMS, "force must be true or false"),
        ({"bundles": [], "rooms": ["Attic"]}, REFUSED, "there is no board to update"),
    ],
)
def test_bad_orders_are_refused_and_leave_the_last_job_to_be_seen(
    house: House, order: dict[str, Any], code: int, words: str
):
    house.run(["Bath"])
    fault = house.refuses(lambda: house.updates.update(**order))
    assert fault.code == code
    assert words in fault.message
    assert house.states() == {"Bath": "done"}


def test_what_boards_run_is_listed(house: House):
    house["Den"].unplug()
    house.run(["Bath"])
    told = house.updates.boards()
    assert [(b["device"], b["version"], b["slot"], b["connected"]) for b in told["boards"]] == [
        ("kitchen", OLD_VERSION, "a", True),
        ("bath", NEW_VERSION, "b", True),
        ("den", OLD_VERSION, "a", False),
    ]
    assert told["job"]["ok"]
    assert [b["device"] for b in house.updates.boards(["Bath"])["boards"]] == ["bath"]
