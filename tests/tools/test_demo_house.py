"""A whole emulated house, from a file of music to sound that is measured."""

import json
import socket
import wave
from pathlib import Path

import pytest

from phantom.wire import LINK_PORT
from tests import loopback
from tools.bench import music
from tools.demo import main
from tools.demo.house import House, HouseError
from tools.demo.plan import home

TIMED = True

SUBNET = loopback.subnet()  # not the demo's: one may be running


@pytest.mark.usefixtures("micropython")
def test_the_demo_plays_and_leaves_sound_picture_and_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = tmp_path / "music" / "noise.wav"
    music.write_noise(song, 2.0, seed=1)
    (tmp_path / "music" / "broken.mp3").write_bytes(b"no music at all")
    out = tmp_path / "out"
    status = main(["--music", str(song.parent), "--subnet", SUBNET, "--out", str(out)])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    files = {"kitchen.wav", "bedroom.wav", "living-room.wav", "error.png", "report.json"}
    assert {path.name for path in out.iterdir()} == files
    assert all(name in printed.out for name in files)
    assert "broken.mp3 skipped" in printed.out
    assert "Kitchen" in printed.out
    report = json.loads((out / "report.json").read_text())
    assert report["seconds"] == pytest.approx(2.0, abs=0.1)
    # Two seconds are 375 blocks; a busy machine has a board begin late.
    assert all(board["blocks"] > 100 for board in report["boards"].values())
    assert report["true_error_us"]["p50"] < 1000
    with wave.open(str(out / "living-room.wav")) as file:
        assert file.getnframes() == pytest.approx(2 * 48000, abs=4800)
        assert any(file.readframes(48000))


def test_a_busy_port_is_one_clear_line(tmp_path: Path) -> None:
    boards = home(SUBNET, seed=1)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((boards[2].address, LINK_PORT))
        taken.listen()
        with pytest.raises(HouseError, match=rf"port {LINK_PORT} of {boards[2].address}"):
            House(boards, tmp_path).__enter__()


@pytest.mark.usefixtures("micropython")
def test_music_that_cannot_be_decoded_ends_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.mp3").write_bytes(b"no music at all")
    out = tmp_path / "out"
    arguments = ["--music", str(tmp_path / "broken.mp3"), "--subnet", SUBNET, "--out", str(out)]
    assert main(arguments) == 2
    line = capsys.readouterr().err
    assert "broken.mp3: not an audio file" in line
    assert line.count("\n") == 1
    assert not out.exists()
