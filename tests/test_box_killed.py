"""A box killed by SIGKILL amid music: the next one goes on where it was, from what devices say."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from phantom.wire import CHUNK_FRAMES, audio
from storagebox.control import ControlClient
from tests import loopback
from tests.running_box import PATIENCE_S, write_music
from tests.standins import Standins, standins, until

# A box comes up within this on a machine that is not busy.
QUICK_S = 2.0
FIVE = dict.fromkeys(("kitchen", "bath", "attic", "den", "loft"), audio.BOTH)


class BoxProcess:
    """A box in a process of its own, at an address of its own: its ports are fixed."""

    def __init__(self, state: Path, address: str) -> None:
        self._argv = [sys.executable, "-m", "storagebox.cli", "box", "--state", str(state)]
        self._argv += ["--address", address, "--control", str(state / "s")]
        self._control = state / "s"
        self._log = (state / "box.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.took_s = 0.0  # to come up and find its devices

    def start(self) -> None:
        self._process = subprocess.Popen(self._argv, stderr=self._log)

    def kill(self) -> None:
        """As a power cut, as far as the box is concerned."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    async def call(self, method: str, **params: Any) -> Any:
        def ask() -> Any:
            with ControlClient(self._control, PATIENCE_S) as control:
                return control.call(method, **params)

        return await asyncio.to_thread(ask)

    def close(self) -> None:
        self.kill()
        self._log.close()


@asynccontextmanager
async def house(tmp_path: Path) -> AsyncIterator[tuple[BoxProcess, Standins]]:
    async with standins(FIVE) as devices:
        box = BoxProcess(devices.admit(tmp_path), loopback.address())
        try:
            began_s = time.monotonic()
            box.start()
            await box.call("wait", what="devices", timeout_s=PATIENCE_S, count=len(FIVE))
            box.took_s = time.monotonic() - began_s
            yield box, devices
        finally:
            box.close()


def record(devices: Standins) -> dict[str, dict[int, bytes]]:
    got: dict[str, dict[int, bytes]] = {name: {} for name in devices.sinks}
    for name, sink in devices.sinks.items():
        sink.listen(got[name].__setitem__)
    return got


def shape(status: dict[str, Any]) -> dict[str, Any]:
    """What must be the same before and after."""
    sessions = {
        s["id"]: (s["state"], s["stream"], s["start_us"], s["group"], s["lead_ms"])
        for s in status["sessions"]
    }
    groups = {g["id"]: (sorted(g["rooms"]), g["session"], g["volume"]) for g in status["groups"]}
    return {"sessions": sessions, "groups": {i: g for i, g in groups.items() if g[1]}}


def test_three_groups_go_on_where_they_were(tmp_path: Path):
    async def story():
        async with house(tmp_path) as (box, devices):
            got = record(devices)
            music: dict[str, bytes] = {}
            # Not over before the box is back, on a machine that takes long over that.
            rest_s = 4.5 + 4 * max(0.0, box.took_s - QUICK_S)
            for seed, rooms in enumerate((["kitchen", "bath"], ["attic"], ["den"]), 1):
                folder = tmp_path / f"album-{seed}"
                folder.mkdir()
                parts = [
                    write_music(folder / f"{n}.wav", seconds, 10 * seed + n)
                    for n, seconds in enumerate((2.0, 4.5, rest_s), 1)
                ]
                await box.call("play", paths=[str(folder)], rooms=rooms)
                for room in rooms:
                    music[room] = b"".join(part.tobytes() for part in parts)
            await box.call("volume", rooms=["kitchen"], value=30)
            await box.call("volume", rooms=["bath"], value=50)
            await box.call("mute", rooms=["den"], on=True)
            # Into the second song, so that there is a first one to leave out.
            await until(lambda: all(len(got[room]) > 470 for room in music), "all play")
            await asyncio.sleep(0.3)
            before = await box.call("status")
            box.kill()
            last = {room: max(got[room]) for room in music}
            box.start()
            await until(
                lambda: all(max(got[room]) > last[room] + 20 for room in music), "they go on"
            )
            after = await box.call("status")
            assert shape(after) == shape(before)
            rooms = {room["id"]: room for room in after["rooms"]}
            assert (rooms["kitchen"]["volume"], rooms["bath"]["volume"]) == (30, 50)
            assert [name for name, room in rooms.items() if room["mute"]] == ["den"]
            await box.call("wait", what="end", timeout_s=PATIENCE_S)
            for room, whole in music.items():
                heard = got[room]
                assert max(heard) == (len(whole) - 1) // (4 * CHUNK_FRAMES)
                wrong = [
                    number
                    for number, chunk in heard.items()
                    if len(chunk) == 4 * CHUNK_FRAMES
                    and not whole[number * len(chunk) :].startswith(chunk)
                    and number != max(heard)
                ]
                assert wrong == []
                assert len(devices.sinks[room].closed) == 1
            assert got["loft"] == {}

    asyncio.run(story())


def test_groups_that_are_silent_and_music_that_is_held_are_remembered_too(tmp_path: Path):
    async def story():
        async with house(tmp_path) as (box, devices):
            got = record(devices)
            music = write_music(tmp_path / "a.wav", 8.0).tobytes()
            held = ["kitchen", "bath"]
            await box.call("play", paths=[str(tmp_path / "a.wav")], rooms=held)
            await until(lambda: len(got["bath"]) > 200, "it plays")
            await box.call("pause", rooms=["kitchen"])
            await box.call("group", rooms=["attic", "den"])
            told = [sink.properties for name, sink in devices.sinks.items() if name != "loft"]
            await until(lambda: all(each.get("renderer.note") for each in told), "it is noted")
            before = await box.call("status")
            box.kill()
            box.start()
            await box.call("wait", what="devices", timeout_s=PATIENCE_S, count=len(FIVE))

            async def restored() -> dict[str, Any]:
                async with asyncio.timeout(PATIENCE_S):
                    while not (after := await box.call("status"))["sessions"]:
                        await asyncio.sleep(0.1)
                return after

            after = await restored()
            assert after["sessions"][0]["session_s"] == before["sessions"][0]["session_s"]
            assert [s["state"] for s in after["sessions"]] == ["paused"]
            groups = {tuple(sorted(group["rooms"])) for group in after["groups"]}
            assert groups == {("bath", "kitchen"), ("attic", "den"), ("loft",)}
            got = record(devices)
            assert await box.call("resume", rooms=["bath"])
            await until(lambda: len(got["bath"]) > 50, "it goes on")
            first = min(got["bath"])  # 0, where the machine was fast enough
            at = music.index(got["bath"][first]) - 4 * CHUNK_FRAMES * first
            held_at = before["sessions"][0]["session_s"] * 48_000  # told in milliseconds
            assert abs(at / 4 - held_at) <= 24

    asyncio.run(story())


def test_a_device_that_slept_through_the_end_is_told_that_its_session_is_over(tmp_path: Path):
    async def story():
        async with house(tmp_path) as (box, devices):
            got = record(devices)
            write_music(tmp_path / "a.wav", 30.0)
            await box.call("play", paths=[str(tmp_path / "a.wav")], rooms=["kitchen", "bath"])
            await until(lambda: len(got["bath"]) > 50, "it plays")
            bath = devices.sinks["bath"]
            bath.unplug()
            await asyncio.sleep(0.1)
            await box.call("stop")
            bath.plug_in()
            await until(lambda: bath.closed, "it is told")
            assert bath.closed[0]["reason"] == "its session is over"

    asyncio.run(story())
