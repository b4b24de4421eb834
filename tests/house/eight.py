"""A virtual house of eight emulated boards on Wi-Fi and a box on a cable, for the failure matrix.

Six solo rooms and a stereo pair. What each row measures is printed, and kept for docs/failures.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boards.emulated.board import EmulatedBoard
from boards.emulated.network.house import Station, VirtualNetwork
from phantom.wire.audio import BOTH, LEFT, MONO, RIGHT
from tests.house.truth import Song, Truth, now_us, song
from tests.house.witness import Witness, stood_still
from tools.demo.house import House
from tools.demo.plan import CRYSTAL_PPM, NETWORK, BoardPlan, placed

# Two boards were given the same name, so one is told apart by a number.
ROOMS = ("Bedroom", "Living room", "Study", "Hall", "Attic", "Kitchen", "Kitchen 2")
_PLACES = [
    ("kitchen", "Kitchen", BOTH),
    ("bedroom", "Bedroom", MONO),
    ("living-left", "Living room", LEFT),
    ("living-right", "Living room", RIGHT),
    ("study", "Study", BOTH),
    ("hall", "Hall", BOTH),
    ("attic", "Attic", BOTH),
    ("scullery", "Kitchen", BOTH),
]
# Long enough for the longest row; each row plays it anew.
SONG_S = 90.0
_POLL_S = 0.05
# All rooms have begun by then, unless the machine is busy: the lead, and the second looked at.
_BEGUN_S = 2.2

_FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

Ear = tuple[EmulatedBoard, str]  # a board and what of the song it plays


class Eight:
    """The house; `open` it first, `close` it at the end."""

    def __init__(self, workdir: Path, seed: int) -> None:
        plan = placed(_PLACES, NETWORK, seed, CRYSTAL_PPM)
        self.plan: list[BoardPlan] = plan
        self.measured: dict[str, list[float]] = {}
        self._workdir = workdir
        self._house = House(plan, workdir, "wifi", seed)
        self._songs: list[Song] = []
        self._strangers: list[EmulatedBoard] = []
        self._witness: Witness | None = None
        # libfaketime's: what the box's wall clock is off by.
        self._shift = workdir / "wall-clock"

    def open(self) -> None:
        """Start everything and wait until all are in time."""
        self._workdir.mkdir(parents=True, exist_ok=True)
        if _FAKETIME:
            self._shift.write_text("+0")
            self._house.box_environment = {
                "LD_PRELOAD": str(_FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self._shift.absolute()),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        self._songs = [song(self._workdir, SONG_S, seed) for seed in (1, 2, 3)]
        self._house.__enter__()
        self._witness = Witness(self._house.control_path)
        self._house.wait_synchronised(3.0)

    def close(self) -> None:
        """End everything."""
        if self._witness is not None:
            self._witness.close()
        for board in self._strangers:
            board.stop()
        self._house.close()

    # Who is there

    @property
    def network(self) -> VirtualNetwork:
        """The network, to do harm to."""
        return self._house.network

    def board(self, name: str) -> EmulatedBoard:
        """A board by its id."""
        return self._house.boards[name]

    def station(self, name: str) -> Station:
        """A board's place in the network."""
        return self.network.stations[name]

    def ear(self, name: str) -> Ear:
        """A board and its channel pick."""
        return next(ear for ear in self.ears() if ear[0].name == name)

    def ears(self, *names: str) -> list[Ear]:
        """All boards, or some, with their channel picks."""
        chosen = [plan for plan in self.plan if not names or plan.id in names]
        return [(self.board(plan.id), plan.pick) for plan in chosen]

    def stranger(self, name: str) -> EmulatedBoard:
        """A new board of another installation, not started yet."""
        station = self.network.station(name, "10.77.0.200")
        other = {"id": "5712a9e257a9e200", "key": "11" * 32, "name": "next door"}
        board = EmulatedBoard(
            name,
            self._workdir / "boards",
            address=station.address,
            launch=station.popen,
            installation=other,
        )
        self._strangers.append(board)
        return board

    # What the box says

    def call(self, method: str, **params: Any) -> Any:
        """A call of the box's control socket."""
        return self._house.call(method, **params)

    def status(self) -> dict[str, Any]:
        """The box's status."""
        return self.call("status")

    def device(self, name: str) -> dict[str, Any]:
        """What the box says of a device."""
        return next(d for r in self.status()["rooms"] for d in r["devices"] if d["id"] == name)

    def told(self, device: str) -> str:
        """Why the box has dropped or restarted a device, in its own words."""
        events = [e for e in self.status()["events"] if e.get("device") == device]
        return "; ".join(e.get("reason") or "" for e in events)

    def room_names(self) -> list[str]:
        """All rooms."""
        return [room["name"] for room in self.status()["rooms"]]

    def groups(self) -> set[tuple[str, ...]]:
        """Which rooms play together, by id."""
        sessions = [group for group in self.status()["groups"] if group["session"]]
        return {tuple(sorted(group["rooms"])) for group in sessions}

    def volumes(self) -> dict[str, float]:
        """Each room's volume."""
        return {room["name"]: room["volume"] for room in self.status()["rooms"]}

    def until(self, done: Callable[[], bool], limit_s: float, since: int | None = None) -> float:
        """Seconds until the box says so, from now or a house time; fails after the limit."""
        since_us = now_us() if since is None else since
        while not done():
            assert (now_us() - since_us) / 1e6 < limit_s, (
                f"not within {limit_s} s: {self.status()}"
            )
            time.sleep(_POLL_S)
        return round((now_us() - since_us) / 1e6, 2)

    # What is done to it

    def play_everywhere(self) -> Truth:
        """One song in all rooms; returns when all of them sound in time."""
        answer = self.call("play", paths=[str(self._songs[0].path)])
        truth = Truth(self._songs[0], answer["start_us"])
        self._begun(dict.fromkeys(self.ears(), truth))
        return truth

    def play_in_three_groups(self) -> dict[tuple[str, ...], Truth]:
        """Three songs in three groups of rooms; which boards hear which."""
        boards = {
            ("kitchen", "study"): ["Kitchen", "Study"],
            ("living-left", "living-right"): ["Living room"],
            ("bedroom", "hall", "attic", "scullery"): ["Bedroom", "Hall", "Attic", "Kitchen 2"],
        }
        truths: dict[tuple[str, ...], Truth] = {}
        for (names, rooms), each in zip(boards.items(), self._songs, strict=True):
            answer = self.call("play", paths=[str(each.path)], rooms=rooms)
            truths[names] = Truth(each, answer["start_us"])
        for name, volume in zip(ROOMS, (90, 70, 80, 60, 85, 75, 95), strict=True):
            self.call("volume", rooms=[name], value=volume)
        self._begun({ear: truth for names, truth in truths.items() for ear in self.ears(*names)})
        return truths

    def _begun(self, truths: dict[Ear, Truth]) -> None:
        time.sleep(_BEGUN_S)
        deadline = now_us() + 12_000_000
        for (board, pick), truth in truths.items():
            while faults := truth.faults(board, pick, now_us() - 1_500_000, now_us() - 500_000):
                assert now_us() < deadline, faults
                time.sleep(_POLL_S)

    def kill_box(self) -> None:
        """SIGKILL."""
        self._house.kill_box()

    def start_box(self) -> None:
        """Start the box again."""
        self._house.restart_box()

    def spoil_flash(self, name: str, files: list[str]) -> None:
        """Fill files of a board that is off with garbage."""
        garbage = "".join(chr(33 + 7 * at % 90) for at in range(700))
        self.board(name).edit_flash(dict.fromkeys(files, garbage))

    def shift_wall_clock(self, seconds: int) -> None:
        """Let the box's wall clock differ from the machine's by so much from now on."""
        if _FAKETIME is None:
            remedy = "no libfaketime: apt install libfaketime"
            if os.environ.get("CI") == "true":
                pytest.fail(remedy)
            pytest.skip(remedy)
        partial = self._shift.with_suffix(".part")
        partial.write_text(f"{seconds:+d}")
        partial.replace(self._shift)

    def box_says_year(self) -> int:
        """The year on the newest line of the box's log, which is that the music was stopped."""
        self.call("stop")
        return int(self._house.box_log.read_text().splitlines()[-1][:4])

    def truly_silent(self, board: EmulatedBoard) -> bool:
        """Whether a board has played nothing of any song."""
        truth = Truth(self._songs[0], now_us() - 60_000_000)
        return not len(truth.played(board, BOTH).time_ns)

    # What is found

    def measure(self, what: str, seconds: float) -> None:
        """Keep a figure of this row; of several, the slowest counts."""
        self.measured.setdefault(what, []).append(seconds)

    def box_log(self, lines: int) -> str:
        """The last lines of what the box has told."""
        return "\n".join(self._house.box_log.read_text().splitlines()[-lines:])

    def said(self, named: str, since_us: int) -> str:
        """What the boards that a text names have said of themselves since an instant."""
        assert self._witness is not None
        boards = [self.board(plan.id) for plan in self.plan if plan.id in named]
        lines = [
            line for board in boards for line in self._witness.told(board, since_us, now_us())
        ]
        return "\n".join([*lines, *stood_still(since_us)])

    def is_well(self) -> bool:
        """Whether the house is as it was before: every board there and in no trouble."""
        rooms = self.status()["rooms"]
        devices = [device for room in rooms for device in room["devices"]]
        return len(devices) == len(self.plan) and all(device["connected"] for device in devices)
