"""The benches of a whole house print and leave the figures that they promise."""

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import loopback
from tools.bench import music, results, start, sync
from tools.measure.counter import counter

TIMED = True

SUBNET = loopback.subnet()  # not the demo's: one may be running
DISTRIBUTION = {"p50", "p95", "p99", "max"}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "state_folder", lambda: tmp_path)


def printed_json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


@pytest.mark.usefixtures("micropython")
def test_sync_tells_true_and_believed_error_and_how_fast_a_killed_board_is_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--profile", "none", "--subnet", SUBNET, "--seconds", "5", "--settle-s", "1"]
    assert sync.main([*arguments, "--kill-at", "1", "--json"]) == 0
    result = printed_json(capsys)
    assert json.loads((tmp_path / "bench" / "sync.json").read_text()) == result
    for name in ("true_error_us", "believed_gap_us"):
        assert set(result[name]) == DISTRIBUTION
        assert result[name]["max"] > 0
    assert result["command_to_sound_ms"] > result["lead_ms"] > 0
    assert result["start_spread_us"] > 0
    assert result["rejoin_s"] > 0
    assert result["underruns"] >= 0
    assert (result["profile"], result["seed"], result["seconds"]) == ("none", 1, 5.0)
    assert sorted(result["crystals_ppm"].values()) == [-40.0, -13.33, 13.33, 40.0]
    assert [event["label"] for event in result["events"]] == [
        "bedroom killed",
        "bedroom restarted",
    ]
    assert all(board["blocks"] > 300 for board in result["boards"].values())
    # the counter came through decoder, streamer, link and renderer bit for bit
    assert result["boards"]["kitchen"]["unread_blocks"] <= 30
    assert (tmp_path / "bench" / "sync-none.png").stat().st_size > 10_000
    left = {path.name for path in (tmp_path / "bench").iterdir()}
    assert left == {"sync.json", "sync-none.png"}


@pytest.mark.usefixtures("micropython")
def test_start_tells_how_closely_rooms_begin_and_how_soon(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--profile", "none", "--subnet", SUBNET, "--starts", "2", "--settle-s", "1"]
    assert start.main([*arguments, "--codec", "ima-adpcm"]) == 0
    result = printed_json(capsys)
    assert set(result["start_spread_us"]) == DISTRIBUTION
    assert result["command_to_sound_ms"]["p50"] > result["lead_ms"]
    assert (result["starts"], result["silent_starts"], result["codec"]) == (2, 0, "ima-adpcm")


def test_the_counter_music_is_the_counter_to_the_last_frame(tmp_path: Path) -> None:
    music.write_counter(tmp_path / "c.wav", 2.5)
    with wave.open(str(tmp_path / "c.wav")) as file:
        assert (file.getframerate(), file.getnframes()) == (48000, 120_000)
        frames = np.frombuffer(file.readframes(120_000), "<i2").reshape(-1, 2)
    assert (frames == counter(0, 120_000)).all()


def test_noise_is_loud_unclipped_seeded_and_joins_its_own_beginning() -> None:
    sound = music.noise(48_000, seed=5)
    assert (sound == music.noise(48_000, seed=5)).all()
    assert (sound != music.noise(48_000, seed=6)).any()
    assert 5000 < sound.std() < 7000
    assert np.abs(sound.astype(int)).max() < 32767
    steps = np.abs(np.diff(sound.astype(int), axis=0))
    seam = np.abs(sound[0].astype(int) - sound[-1].astype(int))
    assert (seam <= steps.max(axis=0)).all()


def test_runs_at_once_have_folders_of_their_own() -> None:
    assert results.workdir("sync") != results.workdir("sync")
