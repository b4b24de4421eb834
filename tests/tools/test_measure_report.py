"""A whole run: figures, picture, sound, and the live error, from captures made to order."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.tools.synthetic import RATE, START_US, SyntheticBoard, music
from tools.measure.canonical import Canonical
from tools.measure.figures import Belief
from tools.measure.live import LiveError
from tools.measure.plot import plot
from tools.measure.report import BoardRun, Event, Measured, Run, measure
from tools.measure.wav import write_room

SECONDS = 4.0
MUSIC = Canonical(music(SECONDS + 1))
DISTRIBUTION = {"p50", "p95", "p99", "max"}


@pytest.fixture(name="measured", scope="module")
def _measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("run")
    boards = [
        ("kitchen", "Kitchen", SyntheticBoard(ppm=-40.0, pick="both")),
        ("living-left", "Living room", SyntheticBoard(ppm=20.0, pick="left", empty=[(300, 4)])),
        ("living-right", "Living room", SyntheticBoard(ppm=35.0, pick="right")),
    ]
    runs = [
        BoardRun(
            name,
            room,
            board.pick,
            board.ppm,
            [board.play(folder / name, MUSIC, SECONDS)],
            [Belief(START_US + second * 1_000_000, 0) for second in range(1, 4)],
        )
        for name, room, board in boards
    ]
    run = Run(
        profile="none",
        seed=3,
        codec="pcm16",
        lead_ms=250,
        start_us=START_US,
        command_us=START_US - 260_000,
        until_us=START_US + int(SECONDS * 1e6) - 200_000,
        boards=runs,
        canonical=MUSIC,
        counter=False,
        events=[Event(START_US + 2_000_000, "gain", "kitchen")],
    )
    return measure(run)


def test_a_report_has_every_figure_and_is_json(measured: Measured) -> None:
    report = json.loads(json.dumps(measured.report))
    for name in ("true_error_us", "believed_gap_us"):
        assert set(report[name]) == DISTRIBUTION
        assert 0 < report[name]["p50"] <= report[name]["max"] < 60
    assert report["underruns"] == report["dropouts"] == 1
    assert report["start_spread_us"] < 42
    assert report["command_to_sound_ms"] == pytest.approx(260, abs=0.1)
    assert report["crystals_ppm"] == {"kitchen": -40.0, "living-left": 20.0, "living-right": 35.0}
    assert report["seconds"] == 3.8
    assert report["emulated"] is True
    assert set(report["pairs"]) == {
        "kitchen / living-left",
        "kitchen / living-right",
        "living-left / living-right",
    }
    (dropout,) = report["boards"]["living-left"]["dropouts"]
    assert dropout["underrun"]
    assert dropout["ms"] == pytest.approx(21.3, abs=0.1)


def test_the_picture_has_ink_for_every_board_and_mark(measured: Measured, tmp_path: Path) -> None:
    plot(measured, tmp_path / "deep" / "error.png", "Three boards")
    image = np.asarray(Image.open(tmp_path / "deep" / "error.png").convert("RGB"))
    assert image.shape == (1000, 1600, 3)
    for colour in ((0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00), (0x00, 0x9E, 0x73), (0xC1, 0x12, 0x1F)):
        distance = np.abs(image.astype(int) - colour).sum(axis=2)
        assert np.count_nonzero(distance < 80) > 100


def test_a_run_in_which_nothing_sounded_is_still_reported_and_drawn(tmp_path: Path) -> None:
    silent = SyntheticBoard(empty=[(0, 100_000)]).play(tmp_path / "c", MUSIC, SECONDS)
    run = Run(
        "none", 1, "pcm16", None, START_US, START_US, START_US + 1_000_000,
        [BoardRun("kitchen", "Kitchen", "both", 0.0, [silent])], MUSIC, False,
    )  # fmt: skip
    result = measure(run)
    assert result.report["true_error_us"]["max"] is None
    assert result.report["start_spread_us"] is None
    plot(result, tmp_path / "error.png", "Nothing")
    assert (tmp_path / "error.png").stat().st_size > 1000


def test_a_rooms_wav_is_the_stream_on_house_time(tmp_path: Path) -> None:
    late = 48
    left = SyntheticBoard(pick="left", offset_us=late * 1e6 / RATE)
    right = SyntheticBoard(pick="right", t0_us=START_US - 77_000.0)
    boards = [
        ("left", [left.play(tmp_path / "left", MUSIC, SECONDS)]),
        ("right", [right.play(tmp_path / "right", MUSIC, SECONDS)]),
    ]
    write_room(tmp_path / "living.wav", boards, START_US, 3.0)
    with wave.open(str(tmp_path / "living.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getnframes()) == (RATE, 2, 3 * RATE)
        sound = np.frombuffer(file.readframes(3 * RATE), "<i2").reshape(-1, 2)
    wanted = MUSIC.stereo(0, 3 * RATE)
    assert (sound[:, 1] == wanted[:, 1]).all()
    assert (sound[late:, 0] == wanted[:-late, 0]).all()
    assert not sound[:late, 0].any()


def test_a_crystal_off_by_40_ppm_stays_in_time_in_the_wav(tmp_path: Path) -> None:
    board = SyntheticBoard(ppm=-40.0)
    capture = board.play(tmp_path / "c", MUSIC, SECONDS)
    write_room(tmp_path / "kitchen.wav", [("both", [capture])], START_US, 3.5)
    with wave.open(str(tmp_path / "kitchen.wav")) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    end = 3 * RATE
    errors = [
        float(
            np.abs(
                sound[end : end + 4096].astype(int) - MUSIC.stereo(end + s, end + s + 4096)
            ).sum()
        )
        for s in (-2, -1, 0, 1, 2)
    ]
    assert int(np.argmin(errors)) == 2


def test_the_live_error_follows_a_growing_capture_and_dump(tmp_path: Path) -> None:
    board = SyntheticBoard(ppm=38.0, trim=False, offset_us=200.0)
    whole = board.play(tmp_path / "whole", MUSIC, SECONDS).read_bytes()
    dump, growing = tmp_path / "dump", tmp_path / "growing"
    pcm = MUSIC.stereo(0, len(MUSIC)).tobytes()
    canonical = Canonical(dump)
    live = LiveError(canonical, "both", START_US)
    seen: list[float] = []
    for tenth in range(1, 30):
        elapsed_us = tenth * 100_000
        growing.write_bytes(whole[: int((elapsed_us + 100_000) * 0.048) // 256 * 1032 - 300])
        dump.write_bytes(pcm[: int((elapsed_us + 300_000) * 0.048) * 4])
        canonical.refresh()
        error = live.update(growing, (START_US + elapsed_us) * 1000)
        if error is not None:
            seen.append(error)
    assert len(seen) > 20
    for error, before in zip(seen[1:], seen, strict=False):
        assert error - before == pytest.approx(-3.8, abs=0.5)
    assert seen[0] == pytest.approx(200, abs=30)


def test_the_live_error_of_a_silent_board_is_unknown(tmp_path: Path) -> None:
    live = LiveError(MUSIC, "both", START_US)
    assert live.update(tmp_path / "none", START_US * 1000) is None
    capture = SyntheticBoard().play(tmp_path / "c", MUSIC, SECONDS)
    assert live.update(capture, (START_US + 60_000_000) * 1000) is None
