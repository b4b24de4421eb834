"""`phantom renderer`: a PC found, linked and played on by a box, over either family of addresses.

Box and renderer are processes of their own. What the renderer put out is read back from its WAV
file; when each frame went out is known from the instant at which that file begins.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantom.wire import CHUNK_FRAMES, RATE
from storagebox import installation
from storagebox.control import ControlClient
from tests import loopback
from tests.ipv6_only import ipv6_only
from tests.networks import open_network
from tests.running_box import PATIENCE_S, write_music

SONG_S = 3.0
# What a box takes to be ready for songs on a machine that has other work, in time for the song.
LEAD_MS = 1500
# Box and renderer read one clock here; between them is what the exchange of stamps makes of it.
IN_TIME_US = 5000
REPORTED_S = 1.2  # a device tells of what it did twice a second
END_S = 10.0
CLI = [sys.executable, "-m", "storagebox.cli"]

Popen = Callable[..., "subprocess.Popen[str]"]


class House:
    """A box and a renderer, each started by the popen of its machine."""

    def __init__(self, folder: Path, box: tuple[Popen, str], renderer: tuple[Popen, str]) -> None:
        self._folder = folder
        self._control = folder / "s"
        self._output = folder / "out.wav"
        self._log = folder / "renderer.log"
        self._processes: list[subprocess.Popen[str]] = []
        installation.start(folder)
        self._start(*box, "box", "--control", str(self._control))
        with self._box():  # it keeps time now: a renderer alone for long would do so itself
            pass
        self._start(*renderer, "renderer", "--name", "den", "--output", str(self._output))

    def _start(self, popen: Popen, address: str, command: str, *options: str) -> None:
        argv = [*CLI, command, "--state", str(self._folder), "--address", address, *options]
        with (self._folder / f"{command}.log").open("w") as log:
            self._processes.append(popen(argv, stdout=log, stderr=log))

    def _box(self) -> ControlClient:
        end = time.monotonic() + PATIENCE_S
        while not self._control.exists():
            log = (self._folder / "box.log").read_text()
            assert time.monotonic() < end, f"no box: {log}"
            time.sleep(0.05)
        return ControlClient(self._control, PATIENCE_S)

    def play(self, song: Path) -> dict[str, Any]:
        """Play a song to its end; the renderer's status after it, and when it was due."""
        with self._box() as box:
            box.call("wait", what="devices", timeout_s=PATIENCE_S, count=1)
            played = box.call("play", paths=[str(song)], lead_ms=LEAD_MS, codec="pcm16")
            due_ns = played["start_us"] * 1000 - _house_ahead_ns(box)
            box.call("wait", what="end", timeout_s=PATIENCE_S)
            time.sleep(REPORTED_S)
            status = box.call("status")
            (room,) = status["rooms"]
            (device,) = room["devices"]
            asked = {"for": "time", "chosen": status["box"], "by": [device["id"]]}
            assert {**asked, "because": "the only box that keeps time"} in status["chosen"]
            return {**device, "due_ns": due_ns}

    def heard(self) -> tuple[NDArray[np.int16], int]:
        """What the renderer put out, and when its first frame did; ends the renderer."""
        renderer = self._processes.pop()
        renderer.send_signal(signal.SIGTERM)
        assert renderer.wait(END_S) == 0, self._log.read_text()
        with wave.open(str(self._output)) as recorded:
            frames = recorded.readframes(recorded.getnframes())
        began = re.search(r"began_ns=(\d+)", self._log.read_text())
        assert began, self._log.read_text()
        return np.frombuffer(frames, "<i2").reshape(-1, 2), int(began[1])

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(END_S)


def _house_ahead_ns(box: ControlClient) -> int:
    """House time minus the monotonic clock, by the quickest of some answers."""
    best = (1 << 62, 0)
    for _ in range(20):
        asked = time.monotonic_ns()
        house_us = box.call("status")["house_us"]
        took = time.monotonic_ns() - asked
        best = min(best, (took, house_us * 1000 - asked - took // 2))
    return best[1]


def _plays_in_time(house: House, folder: Path) -> dict[str, Any]:
    try:
        song = write_music(folder / "song.wav", SONG_S)
        status = house.play(folder / "song.wav")
        output, began_ns = house.heard()
    finally:
        house.close()
    assert (status["underruns"], status["realigns"], status["late_chunks"]) == (0, 0, 0), status
    first = int(np.flatnonzero(output.any(axis=1))[0])
    _assert_same(output[first : first + len(song)], song, status["trims"])
    late_us = (began_ns + first * 1_000_000_000 // RATE - status["due_ns"]) / 1000
    assert abs(late_us) < IN_TIME_US
    return status


def _assert_same(output: NDArray[np.int16], song: NDArray[np.int16], trims: int) -> None:
    """Bit for bit, except where the runtime says that it left out or repeated a frame.

    It does so within one block; what follows is the same again, a frame sooner or later.
    """
    shift = changed = 0
    for at in range(0, len(song) - CHUNK_FRAMES - trims, CHUNK_FRAMES):
        block = output[at : at + CHUNK_FRAMES]
        near = sorted(range(-min(trims, at), trims + 1), key=lambda other: abs(other - shift))
        for other in near:
            if np.array_equal(block, song[at + other : at + other + CHUNK_FRAMES]):
                shift = other
                break
        else:
            # A trim alters one block of the DAC's, which may lie across two of the song's.
            assert at, "the first block is another"
            changed += 1
    assert changed <= 2 * trims


def test_a_pc_plays_in_time_over_ipv4(tmp_path: Path) -> None:
    box, pc = loopback.address(), loopback.address()
    house = House(tmp_path, (subprocess.Popen, box), (subprocess.Popen, pc))
    assert _plays_in_time(house, tmp_path)["address"] == pc


def test_a_pc_plays_in_time_over_ipv6_link_local_alone(tmp_path: Path) -> None:
    with open_network() as network:
        anywhere = "0.0.0.0"
        house = House(
            tmp_path,
            (ipv6_only(network.station("box", "10.77.0.2")), anywhere),
            (ipv6_only(network.station("pc", "10.77.0.3")), anywhere),
        )
        address = _plays_in_time(house, tmp_path)["address"]
        assert address.startswith("fe80::")
        assert address.endswith("%eth0")


def test_a_name_that_is_no_folder_is_refused_in_a_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [*CLI, "renderer", "--state", str(tmp_path), "--name", "../den"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("phantom: --name '../den': give 1 to 64 bytes")
    assert not list(tmp_path.iterdir())
