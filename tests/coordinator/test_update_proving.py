"""Silence for boards on trial: who gets it, for how long, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from phantom.rpc import REFUSED, RpcError
from storagebox.coordinator.session import Session
from storagebox.coordinator.updates.proving import (
    LOOK_EVERY_S,
    NEVER_PLAYED,
    PATIENCE_S,
    PROVEN,
    TERMS,
    Proving,
)
from storagebox.journal import Journal
from storagebox.streamer.house_clock import HouseTime
from tests.coordinator.linked_device import LinkedDevice

TICK_MS = 50
TRIAL = {"state": "trial"}


class House:
    """Boards and the box's proofs, at a time that the test turns."""

    def __init__(self) -> None:
        self.now_ms = 100_000
        self.journal = Journal(stream=None)
        self.boards: list[LinkedDevice] = []
        self._streams = 0
        time = HouseTime(1, monotonic_ns=lambda: self.now_ms * 1_000_000)
        self.proving = Proving(self, time, self.journal, self._number)

    def __iter__(self) -> Any:
        return iter([board.device for board in self.boards])

    def _number(self) -> int:
        self._streams += 1
        return self._streams

    async def board(self, identity: str = "kitchen", **properties: Any) -> LinkedDevice:
        """One more, connected, on trial if nothing else is said."""
        board = LinkedDevice(identity, self.journal, **({"update_state": TRIAL} | properties))
        self.boards.append(board)
        await board.come()
        return board

    async def passes(self, seconds: float) -> None:
        """Ticks, for so long."""
        for _ in range(round(seconds * 1000 / TICK_MS)):
            self.now_ms += TICK_MS
            self.proving.tick(self.now_ms / 1000)
            await asyncio.sleep(0)
        for _ in range(4):
            await asyncio.sleep(0)  # answers

    def events(self, name: str) -> list[str]:
        """The devices of the journal's events."""
        return [event["device"] for event in self.journal.latest if event["event"] == name]


Story = Callable[[House], Coroutine[Any, Any, None]]


def told(story: Story) -> Callable[[], None]:
    """A test that is a coroutine, with a house of its own."""

    def test() -> None:
        async def run() -> None:
            await story(House())

        asyncio.run(run())

    test.__name__ = story.__name__
    return test


@told
async def test_a_board_on_trial_is_sent_silence_until_it_has_proved_itself(house: House):
    board = await house.board()
    await house.passes(TICK_MS / 1000)
    (opened,) = board.was_asked("renderer.open")
    assert opened["start_us"] == (house.now_ms + TERMS.lead_ms) * 1000
    assert (opened["pick"], opened["first_chunk"], opened["session"]) == ("both", 0, "")
    await house.passes(4.0)
    assert house.events("update.proving") == ["kitchen"]
    sent_s = len(board.chunks) * 256 / 48000
    assert 4.0 < sent_s < 4.0 + 2.5  # no further ahead than a stream goes
    assert not any(map(any, board.chunks))  # silence is zeros
    board.tell("update.state", {"state": "proven"})
    await house.passes(TICK_MS / 1000)
    assert board.was_asked("renderer.close") == [
        {"stream": opened["stream"], "at_chunk": None, "reason": PROVEN}
    ]
    count = len(board.chunks)
    await house.passes(5.0)
    assert len(board.chunks) == count
    assert len(board.was_asked("renderer.open")) == 1
    assert board.was_asked("update.reject") == []


@told
async def test_a_board_that_never_plays_is_told_to_go_back(house: House):
    board = await house.board()
    await house.passes(LOOK_EVERY_S + PATIENCE_S - 1.0)
    assert board.was_asked("update.reject") == []
    await house.passes(1.5)
    assert board.was_asked("update.reject") == [{"reason": NEVER_PLAYED}]
    assert [close["reason"] for close in board.was_asked("renderer.close")] == [NEVER_PLAYED]
    assert house.events("update.rejected") == ["kitchen"]


@told
async def test_one_that_will_not_go_back_is_asked_again_after_as_long(house: House):
    board = await house.board()
    board.answers["update.reject"] = RpcError(REFUSED, "no")
    await house.passes(LOOK_EVERY_S + PATIENCE_S + 1.0)
    assert len(board.was_asked("update.reject")) == 1
    await house.passes(PATIENCE_S - 2.0)
    assert len(board.was_asked("update.reject")) == 1
    await house.passes(2.0)
    assert len(board.was_asked("update.reject")) == 2


@told
async def test_music_takes_its_place_and_is_not_closed(house: House):
    board = await house.board()
    await house.passes(2.0)
    board.device.session = cast("Session", object())
    await house.passes(PATIENCE_S + 5.0)
    assert len(board.was_asked("renderer.open")) == 1
    assert board.was_asked("renderer.close") == []
    assert board.was_asked("update.reject") == []
    board.device.session = None  # and has not proved it
    await house.passes(1.0)
    assert len(board.was_asked("renderer.open")) == 2


@told
async def test_a_board_that_restarts_amid_it_gets_silence_anew_and_all_the_time_again(
    house: House,
):
    board = await house.board()
    await house.passes(PATIENCE_S - 5.0)
    board.go()
    await house.passes(3.0)
    board.info["boot"] += 1
    await board.come()
    await house.passes(PATIENCE_S - 5.0)
    assert len(board.was_asked("renderer.open")) == 2
    assert board.was_asked("renderer.close") == []  # it was not there to be told
    assert board.was_asked("update.reject") == []


@told
async def test_each_board_has_a_stream_of_its_own(house: House):
    boards = [await house.board(name) for name in ("kitchen", "bath")]
    await house.passes(1.0)
    numbers = [board.was_asked("renderer.open")[0]["stream"] for board in boards]
    assert len(set(numbers)) == 2
    boards[0].tell("update.state", {"state": "proven"})
    await house.passes(1.0)
    assert [len(board.was_asked("renderer.close")) for board in boards] == [1, 0]


@pytest.mark.parametrize("state", [None, {}, {"state": "idle"}, {"state": "proven"}, "trial", 3])
def test_whoever_is_not_on_trial_is_left_alone(state: Any):
    @told
    async def test(house: House) -> None:
        board = await house.board(update_state=state)
        await house.passes(5.0)
        assert board.asked == []

    test()
