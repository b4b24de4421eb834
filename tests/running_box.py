"""A box in the test's own loop, with stand-in devices, and what each of those was sent."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phantom.wire import RATE, audio
from storagebox.box import Box
from storagebox.coordinator.coordinator import Coordinator
from storagebox.journal import Journal
from tests.own_time import own_time
from tests.standins import Standins, standins, until

HOUSE = {"solo": audio.BOTH, "west": audio.LEFT, "east": audio.RIGHT}
PATIENCE_S = 20.0


def write_music(path: Path, seconds: float, seed: int = 1) -> NDArray[np.int16]:
    """A WAV file of noise at the canonical format, which a box does not change by a bit."""
    noise = np.random.default_rng(seed).integers(-9000, 9000, (round(seconds * RATE), 2))
    frames = noise.astype("<i2")
    with wave.open(str(path), "wb") as song:
        song.setnchannels(2)
        song.setsampwidth(2)
        song.setframerate(RATE)
        song.writeframes(frames.tobytes())
    return frames


class Running:
    """A box, its devices, and what each was sent: PCM by chunk number."""

    def __init__(self, box: Box, devices: Standins) -> None:
        self.box = box
        self.devices = devices
        self.got: dict[str, dict[int, bytes]] = {name: {} for name in devices.sinks}
        for name in devices.sinks:
            self.record(name)

    def record(self, name: str) -> None:
        """Keep what a device gets from now on."""
        got: dict[int, bytes] = {}
        self.got[name] = got
        self.devices.sinks[name].listen(got.__setitem__)

    @property
    def coordinator(self) -> Coordinator:
        assert self.box.coordinator is not None
        return self.box.coordinator

    async def play(self, *paths: Path, **options: Any) -> dict[str, Any]:
        return await self.coordinator.playing.play([str(path) for path in paths], **options)

    async def settled(self) -> None:
        """Until the box knows the topology that its devices have."""
        names = {f"room {name}" for name in self.devices.sinks}
        await until(lambda: {room.name for room in self.coordinator.rooms} == names, "its rooms")

    @property
    def session(self) -> dict[str, Any]:
        """The one session there is."""
        (session,) = self.box.status()["sessions"]
        return session

    async def end(self) -> None:
        await self.coordinator.wait("end", PATIENCE_S)
        await asyncio.sleep(0.05)  # what was sent last is on loopback still

    def status_of(self, name: str) -> dict[str, Any]:
        rooms = self.box.status()["rooms"]
        return next(d for room in rooms for d in room["devices"] if d["id"] == name)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.box.journal.latest if event["event"] == name]


@asynccontextmanager
async def running(
    tmp_path: Path, picks: dict[str, str] = HOUSE, **options: Any
) -> AsyncIterator[Running]:
    """A box that has found its devices; all go by the time of their loop alone."""
    with own_time(asyncio.get_running_loop()) as own:
        async with standins(picks, now_us=own.now_us, **options) as devices:
            box = Box(
                address="127.0.0.1",
                state=devices.admit(tmp_path / "state"),
                clock_port=0,
                generation=1,
                seed=1,
                journal=Journal(None),
            )
            box.house.monotonic_ns = own.now_ns
            async with box:
                run = Running(box, devices)
                await run.coordinator.wait("devices", PATIENCE_S, len(picks))
                await run.settled()
                yield run
                assert run.events("fault") == []
