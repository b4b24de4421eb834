"""One board's update, against the board's own side of it: what is lost, refused or broken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storagebox.coordinator.updates import board as updating
from storagebox.coordinator.updates.board import BoardUpdate, UpdateFailed
from storagebox.coordinator.updates.bundle import Bundle
from tests.coordinator.living_boards import (
    CRASHES,
    DIFFERENT,
    MUTE,
    NEW,
    NEW_VERSION,
    OLD,
    OLD_VERSION,
    Clock,
    LivingBoard,
    bundle_of,
    lives,
)
from tests.firmware.updating import KEY


class Update:
    """One board, one bundle, and what was told of its update."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        self.board = LivingBoard(self.clock, folder)
        self.bundle: Bundle = bundle_of(folder)
        self.told: list[str] = []

    def _hear(self, state: str, done: int, of: int) -> None:
        assert 0 <= done <= of
        self.told.append(state)

    def states(self) -> list[str]:
        """What was told, each stretch once."""
        told = self.told
        return [s for at, s in enumerate(told) if at == 0 or told[at - 1] != s]

    def run(self, key: bytes = KEY, force: bool = False) -> float:
        """To its end; seconds that it took. Raises UpdateFailed."""
        began_s = self.clock.now_s
        update = BoardUpdate(
            self.board,
            self.bundle,
            key,
            force=force,
            told=self._hear,
            now_s=lambda: self.clock.now_s,
            sleep=self.clock.sleep,
        )
        asyncio.run(update.run())
        return self.clock.now_s - began_s

    def fails(self, **how: Any) -> UpdateFailed:
        """To its failure."""
        with pytest.raises(UpdateFailed) as caught:
            self.run(**how)
        return caught.value


@pytest.fixture(autouse=True, scope="module")
def _lives() -> Iterator[None]:
    with lives():
        yield


@pytest.fixture(name="update")
def _update(tmp_path: Path) -> Update:
    return Update(tmp_path)


def test_a_board_is_sent_what_it_lacks_starts_it_and_keeps_it_once_it_has_played(update: Update):
    assert update.run() < 10
    board = update.board
    assert (board.version, board.slot, board.state) == (NEW_VERSION, "b", "confirmed")
    assert board.holds("b") == NEW
    assert board.holds("a") == OLD
    assert ("update", DIFFERENT) in board.sent  # mux.mpy is the same
    assert board.boot == 2
    states = update.states()
    ways = ["asking", "receiving", "restarting", "trial", "proven"]
    assert [state for state in states if state in ways] == ways


def test_a_board_that_holds_all_of_it_is_sent_nothing(update: Update):
    update.bundle = bundle_of(update.folder, files=OLD)
    update.run()
    assert [purpose for purpose, _ in update.board.sent] == ["manifest"]
    assert update.board.version == NEW_VERSION


def test_nothing_is_written_while_music_plays_however_long(update: Update):
    board, clock = update.board, update.clock
    board.music = True
    files: list[dict[str, bytes]] = []
    clock.after(90, lambda: files.append(board.holds("b")))
    clock.after(90, lambda: setattr(board, "music", False))
    assert 90 < update.run() < 100
    assert files == [{}]
    assert "waiting" in update.states()
    assert "lost" not in update.states()
    assert board.version == NEW_VERSION


def test_a_board_that_holds_little_of_its_music_is_left_alone_until_it_holds_more(update: Update):
    board, clock = update.board, update.clock
    board.music, board.holds_much = True, False
    clock.after(20, lambda: setattr(board, "holds_much", True))
    early: list[list[str]] = []
    clock.after(19, lambda: early.append(list(board.calls)))
    clock.after(40, lambda: setattr(board, "music", False))
    assert 40 < update.run() < 50
    assert early == [[]]
    assert update.states()[:3] == ["asking", "waiting", "receiving"]


def test_live_music_of_which_a_board_never_holds_much_is_waited_out(update: Update):
    board, clock = update.board, update.clock
    board.music, board.holds_much = True, False
    clock.after(900, lambda: setattr(board, "music", False))
    assert 900 < update.run() < 910


def test_a_board_that_is_lost_while_its_music_is_waited_for_is_tried_again(update: Update):
    board, clock = update.board, update.clock
    board.music, board.holds_much = True, False
    clock.after(5, lambda: setattr(board, "plugged_in", False))
    clock.after(10, lambda: setattr(board, "plugged_in", True))
    clock.after(15, lambda: setattr(board, "holds_much", True))
    clock.after(30, lambda: setattr(board, "music", False))
    assert 30 < update.run() < 40
    assert "lost" in update.states()


def test_what_a_small_board_can_not_hold_waits_here_while_music_plays(update: Update):
    board, clock = update.board, update.clock
    files = {"phantom/device.mpy": bytes(40_000)}
    update.bundle = bundle_of(update.folder, files=files)
    board.after_call["update.wanted"] = lambda: board.has_memory(8192)
    board.music = True
    clock.after(90, lambda: setattr(board, "music", False))
    assert 90 < update.run() < 110
    assert board.holds("b") == files
    assert board.calls.count("update.begin") == 1  # it was not given up meanwhile


def test_music_that_begins_once_all_is_written_holds_the_restart_back(update: Update):
    board, clock = update.board, update.clock

    def music() -> None:
        board.music = True
        clock.after(90, lambda: setattr(board, "music", False))

    clock.when(lambda: board.state == "ready", music)
    assert 90 < update.run() < 100
    assert board.boot == 2


def test_music_that_begins_a_moment_before_the_restart_is_waited_for(update: Update):
    board, clock = update.board, update.clock

    def behind_our_back() -> None:  # another box's, which this one hears of a little later
        board.music = True
        board.says_idle = True
        clock.after(1.0, lambda: setattr(board, "says_idle", False))
        clock.after(30.0, lambda: setattr(board, "music", False))

    clock.when(lambda: board.state == "ready", behind_our_back)
    update.run()
    assert board.calls.count("update.apply") > 2
    assert board.boot == 2


def test_a_board_that_vanishes_amid_the_upload_and_comes_back_is_sent_it_again(update: Update):
    board = update.board
    board.halfway["update"] = lambda: board.unplug(20)
    update.run()
    assert board.version == NEW_VERSION
    assert board.calls.count("update.begin") == 2
    states = update.states()
    assert states.count("receiving") == 2
    assert states.index("receiving") < states.index("lost")


def test_a_board_that_loses_power_amid_the_upload_begins_again_with_its_old_code(update: Update):
    board = update.board
    board.halfway["update"] = lambda: board.cut_power(5)
    update.run()
    assert (board.version, board.state) == (NEW_VERSION, "confirmed")
    assert board.boot == 3


def test_a_board_that_does_not_come_back_has_failed_and_it_is_said_what_it_ran(update: Update):
    board = update.board
    board.halfway["update"] = board.unplug
    fault = update.fails()
    assert fault.why == "the link was lost, and it is not back within 60 s"
    assert fault.left == f"away; it ran {OLD_VERSION}"
    assert update.clock.now_s - 1000 < updating.BACK_S + 5


def test_a_link_that_breaks_every_time_is_not_tried_for_ever(update: Update):
    board = update.board

    def break_again() -> None:
        board.halfway["update"] = break_again
        board.unplug(1)

    board.halfway["update"] = break_again
    fault = update.fails()
    assert fault.why == "the link was lost during the upload"
    assert fault.left == f"runs {OLD_VERSION} as before"
    assert board.calls.count("update.begin") == updating.TRIES


def test_a_house_with_another_key_is_refused_at_once(update: Update):
    fault = update.fails(key=bytes(32))
    assert fault.why == "not to be trusted: its HMAC is not of this installation's key"
    assert fault.left == f"runs {OLD_VERSION} as before"
    assert update.board.calls.count("update.begin") == 1
    assert update.board.holds("b") == {}


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ({"board": "other"}, "it is for the board other, this is testboard"),
        ({"arch": "rv32imc"}, "it is code for rv32imc, this chip runs"),
        ({"version": "0.0.9"}, f"version 0.0.9 is older than {OLD_VERSION}"),
    ],
)
def test_what_the_board_refuses_is_said_in_its_words(
    update: Update, head: dict[str, str], why: str
):
    update.bundle = bundle_of(update.folder, **head)
    fault = update.fails()
    assert fault.why.startswith(why)
    assert fault.left == f"runs {OLD_VERSION} as before"
    assert update.board.boot == 1


def test_an_older_version_takes_force(update: Update):
    update.bundle = bundle_of(update.folder, "0.0.9")
    update.run(force=True)
    assert update.board.version == "0.0.9"


def test_code_that_crashes_is_undone_and_the_reason_told(update: Update):
    board = update.board
    board.nature[NEW_VERSION] = CRASHES
    fault = update.fails()
    assert f"{NEW_VERSION} did not work" in fault.why
    assert "broken on purpose" in fault.why
    assert fault.left == f"back on {OLD_VERSION}"
    assert board.failed == [NEW_VERSION]


def test_code_that_never_plays_is_undone_after_three_starts(update: Update):
    board = update.board
    board.nature[NEW_VERSION] = MUTE
    fault = update.fails()
    assert f"{NEW_VERSION} did not work" in fault.why
    assert fault.left == f"back on {OLD_VERSION}"
    assert board.boot == 1 + 3 + 1
    assert update.clock.now_s - 1000 < updating.TRIAL_S


def test_code_that_the_box_rejects_is_undone_with_the_boxs_reason(update: Update):
    board = update.board
    board.nature[NEW_VERSION] = MUTE
    clock = update.clock
    clock.when(
        lambda: board.state == "trial" and board.connected,
        lambda: clock.after(3, lambda: asyncio.ensure_future(reject())),
    )

    async def reject() -> None:
        await board.call("update.reject", {"reason": "it answers, but does not play in time"})

    fault = update.fails()
    assert fault.why == f"{NEW_VERSION} did not work: it answers, but does not play in time"
    assert fault.left == f"back on {OLD_VERSION}"


def test_version_that_failed_before_works_by_force(update: Update):
    board = update.board
    board.nature[NEW_VERSION] = CRASHES
    update.fails()
    assert update.fails().why == (
        f"version {NEW_VERSION} has failed here before: insist on it by --force"
    )
    del board.nature[NEW_VERSION]
    update.run(force=True)
    assert (board.version, board.failed) == (NEW_VERSION, [])


def test_an_order_to_start_whose_answer_was_lost_was_an_order(update: Update):
    board = update.board
    board.after_call["update.apply"] = lambda: board.unplug(5)
    update.run()
    assert (board.version, board.state) == (NEW_VERSION, "confirmed")
    assert board.calls.count("update.begin") == 1


def test_an_order_to_start_that_was_lost_is_given_again(update: Update):
    board = update.board
    update.clock.when(lambda: board.state == "ready", lambda: board.unplug(5))
    update.run()
    assert (board.version, board.state) == (NEW_VERSION, "confirmed")
    assert board.boot == 2


@pytest.mark.parametrize("state", updating.ON_TRIAL)
def test_a_box_that_has_started_anew_goes_on_where_the_board_is(update: Update, state: str):
    board, clock = update.board, update.clock

    class Died(Exception):
        pass

    def die() -> None:
        raise Died

    board.music = False
    clock.when(lambda: board.state == state and board.connected, die)
    with pytest.raises(Died):
        update.run()
    begun = board.calls.count("update.begin")
    update.run()
    assert board.state == "confirmed"
    assert board.calls.count("update.begin") == begun == 1


def test_a_board_that_has_proved_itself_may_play_on_for_hours_before_it_writes_that_down(
    update: Update, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(updating, "TRIAL_S", 30.0)
    board, clock = update.board, update.clock
    clock.when(lambda: board.state == "trial", lambda: setattr(board, "music", True))
    clock.after(120, lambda: setattr(board, "music", False))
    assert 110 < update.run() < 130
    assert board.state == "confirmed"


def test_a_board_that_disappears_on_trial_has_failed_and_what_it_does_is_said(update: Update):
    board = update.board
    update.clock.when(lambda: board.state == "trial", board.unplug)
    fault = update.fails()
    assert fault.why == f"{NEW_VERSION} has not shown that it plays in time"
    assert fault.left == f"on trial with {NEW_VERSION}, or away"


def test_a_board_that_gets_no_further_is_given_up_and_a_slow_one_is_not(update: Update):
    said: dict[str, Any] = {"state": "writing", "done": 1}
    update.board.answers["properties.read"] = {"values": {"update.state": said}}
    update.clock.after(50, lambda: said.update(done=2))
    fault = update.fails()
    assert fault.why == "it has written nothing for 60 s"
    assert 110 < update.clock.now_s - 1000 < 115


def test_a_board_that_can_not_write_says_why(update: Update):
    said = {"state": "failed", "reason": "the flash can't be written: [Errno 5] EIO"}
    update.board.answers["properties.read"] = {"values": {"update.state": said}}
    assert update.fails().why == said["reason"]


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("update.begin", None),
        ("update.begin", {"nonce": 3}),
        ("update.wanted", []),
        ("update.wanted", {"files": 3}),
        ("update.wanted", {"files": [0, 7]}),
        ("update.wanted", {"files": [-1]}),
        ("update.wanted", {"files": ["0"]}),
        ("update.wanted", {"files": [True]}),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failure_not_a_fault_of_the_box(
    update: Update, method: str, answer: Any
):
    update.board.answers[method] = answer
    assert update.fails().why == f"its answer to {method} makes no sense"


def test_what_was_not_refused_in_time_is_not_asked_for_ever(update: Update):
    """An order that is refused though nothing plays."""
    board = update.board

    def refuse() -> None:
        assert board._inner is not None
        board._inner.updates._ready = None

    update.clock.when(lambda: board.state == "ready", refuse)
    fault = update.fails()
    assert fault.why == "no update is ready here: send one first"
