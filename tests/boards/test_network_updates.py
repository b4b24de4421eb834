"""New code from a box for emulated boards: unheard amid music, and undone where it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from boards.emulated.board import EmulatedBoard
from phantom import VERSION
from phantom.wire import audio
from storagebox.coordinator.updates import proving
from tests.boards.updated_house import HOUSE, house, over
from tests.bundles import bundle_of
from tests.running_box import write_music
from tests.standins import until
from tools.measure.accounting import account
from tools.measure.align import align
from tools.measure.canonical import Canonical

MakeBoard = Callable[..., EmulatedBoard]
NEXT = "0.2.0"


def test_an_update_amid_music_is_not_heard_and_begins_when_it_is_over(
    make_board: MakeBoard, tmp_path: Path
) -> None:
    board = make_board(profile="esp32s3", ppm=0, flash_erase_us=5000, installation=HOUSE)
    frames = write_music(tmp_path / "song.wav", 9.0)
    bundle = bundle_of(tmp_path, NEXT)

    async def story() -> int:
        async with house(tmp_path, board) as box:
            assert box.coordinator is not None
            updates = box.coordinator.updates
            playing = await box.coordinator.playing.play([str(tmp_path / "song.wav")])
            told = box.coordinator.rooms.device(board.name).properties.values
            await until(lambda: told.get("renderer.state") == "playing", "it sounds")
            await updates.update([bundle])
            (row,) = updates.job.rows
            await until(lambda: row.state == "waiting" and row.done == row.of > 0, "it is sent")
            session = box.status()["sessions"][0]
            assert session["state"] == "playing"
            assert session["position_s"] < 8
            await box.coordinator.wait("end", 30)
            job = await over(box)
            assert job["ok"], job
            (found,) = updates.boards()["boards"]
            assert (found["version"], found["slot"]) == (NEXT, "b")
            assert (await updates.update([bundle]))["boards"][0]["state"] == "current"
            return playing["start_us"]

    start_us = asyncio.run(story())
    board.stop()
    canonical = Canonical(frames)
    played = align(board.name, board.captures[:1], start_us, pick=audio.BOTH, canonical=canonical)
    books = account(played, canonical)
    assert (books.jumps, books.dropouts) == ([], [])
    (stretch,) = played.stretches
    assert stretch.first_frame == 0
    assert int(stretch.frame[-1]) > len(frames) - 512
    assert np.abs(played.error_us).max() < 1000
    assert len(board.captures) == 2  # it was started anew once


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"device": ("import asyncio", "raise ValueError('broken on purpose')")}, "on purpose"),
        (
            {"playback": ("self.begin(stream, start_us, first_chunk, session, connection)", "")},
            proving.NEVER_PLAYED,
        ),
    ],
    ids=["crashes", "never plays"],
)
def test_new_code_that_does_not_work_is_undone_by_the_board_and_holds_the_others_back(
    make_board: MakeBoard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, tuple[str, str]],
    told: str,
) -> None:
    monkeypatch.setattr(proving, "PATIENCE_S", 3.0)
    options = {"profile": "esp32s3", "flash_erase_us": 2000, "installation": HOUSE}
    boards = [make_board(name, **options) for name in ("one", "two")]
    bundle = bundle_of(tmp_path, NEXT, **changes)

    async def story() -> None:
        async with house(tmp_path, *boards) as box:
            assert box.coordinator is not None
            updates = box.coordinator.updates
            await updates.update([bundle])
            job = await over(box)
            assert not job["ok"]
            failed, held = sorted(job["boards"], key=lambda row: row["state"])
            assert (failed["state"], held["state"]) == ("failed", "held")
            assert told in failed["reason"]
            assert failed["left"] == f"back on {VERSION}"
            assert failed["room"] in held["reason"]
            found = updates.boards()["boards"]
            assert [each["version"] for each in found] == [VERSION, VERSION]
            again = await updates.update([bundle], [failed["room"]])
            assert "has failed there before" in again["boards"][0]["reason"]

    asyncio.run(story())
