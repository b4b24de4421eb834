"""A house without a box: boards find each other, agree on the time, and chime in time."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from boards.emulated import capture
from boards.emulated.board import EmulatedBoard
from storagebox import installation
from storagebox.identify import identify
from tests.boards.driver import Driver, wait_for
from tools.demo.installation import member

MakeBoard = Callable[..., EmulatedBoard]

_CRYSTALS = {"attic": 25, "bath": -40, "cellar": 40}
_INSTALLATION = {"id": secrets.token_hex(8), "key": secrets.token_hex(32), "name": "test"}
# What a chime may be off between any two boards, and what is believed may move by.
_APART_US = 1000


class Room:
    """A board and a link to it."""

    def __init__(self, make: MakeBoard, name: str, ppm: float) -> None:
        self.board = make(name, ppm=ppm, installation=_INSTALLATION)
        self.name = name
        self.board.start()
        ours = member(f"test-{name}", 1, _INSTALLATION)
        self.driver = Driver(self.board.address, membership=ours)
        self.id: str = self.driver.call("device.info")["result"]["id"]

    def property(self, name: str) -> Any:
        """A property of the device, now."""
        return self.driver.call("properties.read", names=[name])["result"]["values"][name]

    def first_sound_us(self, after_us: float) -> float:
        """When, by the machine's clock, the first frame after an instant left the DAC."""
        segment = capture.load(self.board.capture_path)[-1]
        pcm = segment.pcm().reshape(-1, 2)[:, 0]
        frames = (segment.sound[:, None] * 256 + np.arange(256)).reshape(-1)
        times = np.asarray(segment.segment.times_ns(frames)) / 1000
        heard = np.flatnonzero((pcm != 0) & (times > after_us))
        assert len(heard), f"{self.name} was silent"
        return float(times[heard[0]])


def _agree(rooms: list[Room], server: str) -> None:
    def agreed() -> bool:
        return len({r.property("clock.generation") for r in rooms} - {None}) == 1 and all(
            r.property("clock.synced") for r in rooms
        )

    wait_for("one house time", agreed, 25)
    wait_for(
        f"all ask {server}",
        lambda: all(
            r.property("clock.server") == (None if r.id == server else server) for r in rooms
        ),
        25,
    )


def _chime(rooms: list[Room], state: Path) -> float:
    """Has all chime at once, as a person would; returns how far apart they began, in us."""
    before_us = time.monotonic_ns() / 1000
    rung = asyncio.run(identify(state, address="127.77.0.9"))
    assert sorted(rung.chiming) == [room.id for room in rooms], rung
    wait_for("the chime", lambda: all(r.property("chime.playing") for r in rooms))
    wait_for("the chime's end", lambda: not any(r.property("chime.playing") for r in rooms))
    time.sleep(0.2)  # what has left the DAC is in the file by then
    first = [room.first_sound_us(before_us) for room in rooms]
    return max(first) - min(first)


def test_boards_alone_keep_time_and_chime_and_outlive_whoever_served_it(
    make_board: MakeBoard, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    installation.found(state, _INSTALLATION)
    attic, bath = (Room(make_board, name, _CRYSTALS[name]) for name in ("attic", "bath"))
    served = attic.id
    _agree([attic, bath], served)
    cellar = Room(make_board, "cellar", _CRYSTALS["cellar"])  # one that joins later
    rooms = [attic, bath, cellar]
    _agree(rooms, served)
    generation = attic.property("clock.generation")
    time.sleep(2)
    together = _chime(rooms, state)
    assert together < _APART_US

    attic.board.stop()
    rooms = [bath, cellar]
    # Who asks whom settles later, as each change is held for longer; the timeline goes on at once.
    wait_for(
        "the dead one is asked no more",
        lambda: all(room.property("clock.server") != served for room in rooms),
        25,
    )
    assert all(room.property("clock.synced") for room in rooms)
    assert [room.property("clock.generation") for room in rooms] == [generation] * 2
    after = _chime(rooms, state)
    assert after < _APART_US
    print(f"chimes apart, us: {together:.0f}, after a take-over {after:.0f}")
