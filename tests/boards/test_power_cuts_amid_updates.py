"""Power that goes amid an update or a repair leaves a board that is updated, and plays.

tests/firmware/micropython_update_sweep.py cuts every flash operation; here whole boards lose their
power at the moments that differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from boards.emulated.board import EmulatedBoard
from boards.emulated.capture import BLOCK_FRAMES
from phantom import VERSION
from phantom.wire import audio, discovery
from storagebox.box import Box
from storagebox.coordinator.updates.devices import DeviceCandidate
from tests.boards.updated_house import HOUSE, house, over
from tests.bundles import bundle_of
from tests.running_box import write_music
from tests.standins import until
from tools.measure.align import align
from tools.measure.canonical import Canonical

MakeBoard = Callable[..., EmulatedBoard]
NEXT = "0.2.0"
# Four proofs of two seconds each are long for a test.
SOON_PROVEN = {"updates": ("PROOF_MS = const(2000)", "PROOF_MS = const(300)")}
FAST = {"profile": "esp32s3", "flash_erase_us": 0, "installation": HOUSE}
SONG_S = 1.0
TORN = 100  # 256ths of the operation that is cut
FILES = 200  # operations into the files
# Of the selector's save: it is told from its copy .new by then, the file itself is moved away.
SWITCH = 4
BOOTS = 2  # of the count of starts, the first that a start saves
CONFIRMED = 2  # of the selector's save again


async def goes_and_returns(board: EmulatedBoard, then_in: int = 0) -> None:
    """Wait until the power has gone as ordered; it is to go again in operation `then_in`."""
    await until(lambda: not board.alive, "a cut of power")
    if then_in:
        board.flash_power.cut_after(then_in, torn=TORN)
    board.start()


@dataclass
class Played:
    """A song that a box has played, in one life of a board."""

    frames: NDArray[np.int16]
    start_us: int
    capture: Path


async def play(box: Box, board: EmulatedBoard, version: str, song: Path) -> Played:
    """Play a song on a board that runs this version."""
    assert box.coordinator is not None
    frames = write_music(song, SONG_S)
    await box.coordinator.wait("devices", 30, 1)
    assert only(box)["version"] == version
    playing = await box.coordinator.playing.play([str(song)])
    await box.coordinator.wait("end", 30)
    return Played(frames, playing["start_us"], board.capture_path)


def check_heard(board: EmulatedBoard, song: Played) -> None:
    """The DAC of a board, stopped since, put out its last frames: a busy one may join in late."""
    canonical = Canonical(song.frames)
    pick = audio.BOTH
    heard = align(board.name, [song.capture], song.start_us, pick=pick, canonical=canonical)
    assert int(heard.stretches[-1].frame[-1]) > len(song.frames) - 2 * BLOCK_FRAMES


def only(box: Box) -> dict[str, Any]:
    """What the box knows of its one board."""
    (found,) = [device for room in box.status()["rooms"] for device in room["devices"]]
    return found


def test_an_update_whose_power_goes_four_times_is_finished_by_box_and_board(
    make_board: MakeBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make_board(**FAST)
    call = DeviceCandidate.call

    async def cut_in_the_switch(self: DeviceCandidate, method: str, params: dict[str, Any]) -> Any:
        if method == "update.apply":
            board.flash_power.cut_after(SWITCH, torn=TORN)
        return await call(self, method, params)

    monkeypatch.setattr(DeviceCandidate, "call", cut_in_the_switch)

    async def story() -> list[Played]:
        async with house(tmp_path, board) as box:
            assert box.coordinator is not None
            updates = box.coordinator.updates
            board.flash_power.cut_after(FILES, torn=TORN)
            await updates.update([bundle_of(tmp_path, NEXT, **SOON_PROVEN)])
            (row,) = updates.job.rows
            await goes_and_returns(board)
            before = await play(box, board, VERSION, tmp_path / "before.wav")
            await goes_and_returns(board, then_in=BOOTS)
            await goes_and_returns(board)
            await until(lambda: row.state == "trial", "the trial")
            board.flash_power.cut_after(CONFIRMED, torn=TORN)
            await goes_and_returns(board)
            job = await over(box)
            assert job["ok"], job
            return [before, await play(box, board, NEXT, tmp_path / "after.wav")]

    songs = asyncio.run(story())
    board.stop()
    for song in songs:
        check_heard(board, song)
    assert board.log().count("power cut in flash operation") == 4
    assert b'"active": "b"' in (board.flash_file("/slot") or b"")


def test_a_board_in_safe_mode_is_repaired_though_its_power_goes_amid_that(
    make_board: MakeBoard, tmp_path: Path
) -> None:
    board = make_board(**FAST)

    async def story() -> Played:
        async with house(tmp_path, board) as box:
            assert box.coordinator is not None
            board.kill()
            code = board.flash_file("/a/phantom/chime.mpy") or b""
            board.edit_flash({"/a/phantom/chime.mpy": code[:-1] + b"X"})
            board.start()
            await until(lambda: only(box)["connected"] and only(box)["safe_mode"], "safe mode")
            assert only(box)["fault"] == discovery.DAMAGED_CODE
            board.flash_power.cut_after(FILES, torn=TORN)
            await box.coordinator.updates.update([bundle_of(tmp_path, VERSION, **SOON_PROVEN)])
            await goes_and_returns(board)
            job = await over(box)
            assert job["ok"], job
            assert not only(box)["safe_mode"]
            return await play(box, board, VERSION, tmp_path / "repaired.wav")

    song = asyncio.run(story())
    board.stop()
    check_heard(board, song)
    assert board.log().count("loader: safe mode: damaged-code") == 2
