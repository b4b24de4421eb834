"""Runs a whole emulated house: boards, a box, and the network between them, on this machine.

    with House(home("127.77.0", seed=1), Path("build/run/x")) as house:
        house.wait_synchronised()
        playing = house.play([Path("album")])
        while house.poll().plays: ...
        run = house.record(until_us)

Profile "none" is loopback, every board with an address of its own; the others put board and box
each into a network namespace of the virtual network.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from boards.emulated.board import EmulatedBoard
from boards.emulated.interpreter import InterpreterMissing
from boards.emulated.network import NetworkUnavailable, VirtualNetwork
from boards.image.firmware import FirmwareError
from phantom.wire import LINK_PORT
from phantom.wire.audio import BOTH
from storagebox.control import ControlClient
from tools.demo.box_process import BoxFault, BoxProcess
from tools.demo.plan import BOX_NUMBER, NO_NETWORK, BoardPlan, pairs
from tools.demo.reports import Reports, Status
from tools.measure.canonical import Canonical
from tools.measure.report import Event, Run

_SYNC_SECONDS = 40.0
# A burst of exchanges on joining is ten; fewer than this and a clock is only just believed.
_CLOCK_SAMPLES = 8
_POLL_SECONDS = 0.1

Say = Callable[[str], None]


def _silent(_: str) -> None:
    return


class HouseError(Exception):
    """The house can't be run, or has broken down: one line that names the fault and the remedy."""


@dataclass(frozen=True)
class Playing:
    """A session that has begun; house times in us."""

    start_us: int
    command_us: int
    codec: str | None
    lead_ms: int | None
    dump: Path


@dataclass
class House:
    """Boards, box and network; a context manager. Everything it starts ends with it."""

    plan: Sequence[BoardPlan]
    workdir: Path
    profile: str = NO_NETWORK
    seed: int = 1
    board_profile: str = "esp32"
    say: Say = _silent
    music: Path | None = None  # a folder whose library the box is to keep
    events: list[Event] = field(default_factory=list[Event], init=False)
    playing: Playing | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __post_init__(self) -> None:
        self.boards: dict[str, EmulatedBoard] = {}
        self._reports = Reports(board.id for board in self.plan)
        # Of its own: houses that run side by side on one machine must not mix.
        self.installation = {
            "id": secrets.token_hex(8),
            "key": secrets.token_hex(32),
            "name": "emulated",
        }
        self._arranged = False
        self._plays = 0
        self._network: VirtualNetwork | None = None
        self._box: BoxProcess | None = None
        self.box_environment: dict[str, str] = {}  # what the box's process has beside ours

    # Life

    def _open(self) -> None:
        try:
            self.workdir.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise HouseError(f"{self.workdir}: {fault.strerror}") from fault
        if self.profile != NO_NETWORK:
            self.say("virtual network")
            try:
                self._network = VirtualNetwork(self.profile, seed=self.seed)
                self._network.open()
            except (NetworkUnavailable, ValueError) as fault:
                raise HouseError(str(fault)) from fault
        else:
            for board in self.plan:
                _check_port(board.address)
        self.say("storage box")
        self._box = self._new_box()
        self._box.start()
        for number, board in enumerate(self.plan):
            self.say(f"board {number + 1} of {len(self.plan)}: {board.id}")
            self.boards[board.id] = self._new_board(board)
            try:
                self.boards[board.id].start()
            except (FirmwareError, InterpreterMissing) as fault:
                raise HouseError(str(fault)) from fault
        with _house_errors():
            self._box.connect()

    def _new_board(self, board: BoardPlan) -> EmulatedBoard:
        launch = None
        if self._network is not None:
            launch = self._network.station(board.id, board.address).popen
        return EmulatedBoard(
            board.id,
            self.workdir / "boards",
            address=board.address,
            profile=self.board_profile,
            ppm=board.ppm,
            room=board.room,
            launch=launch,
            seed=self.seed,
            installation=self.installation,
        )

    def _new_box(self) -> BoxProcess:
        address = f"{self.plan[0].address.rpartition('.')[0]}.{BOX_NUMBER}"
        launch = subprocess.Popen
        if self._network is not None:
            launch = self._network.station("box", address, profile="wired").popen
        return BoxProcess(
            self.workdir / "box",
            self.box_log,
            address,
            self.installation,
            launch=launch,
            environment=self.box_environment,
            music=self.music,
        )

    def close(self) -> None:
        """End everything; safe to call twice."""
        if self._box is not None:
            self._box.close()
            self._box = None
        for board in self.boards.values():
            board.stop()
        if self._network is not None:
            self._network.close()
            self._network = None

    @property
    def box(self) -> BoxProcess:
        """The box's process; the house is open."""
        assert self._box is not None, "the house is not open"
        return self._box

    @property
    def box_log(self) -> Path:
        """What the box has said."""
        return self.workdir / "box.log"

    @property
    def control_path(self) -> Path:
        """The box's control socket."""
        return self.box.control_path

    # Orders

    def client(self) -> ControlClient:
        """Another connection to the box, which the caller closes. Raises HouseError."""
        with _house_errors():
            return self.box.client()

    def call(self, method: str, **params: Any) -> Any:
        """Calls a method of the box's control socket. Raises HouseError with its reason."""
        with _house_errors():
            return self.box.call(method, **params)

    def wait_synchronised(self, settle_s: float = 0.0) -> None:
        """Until every board is connected and knows house time, and then `settle_s` more.

        Raises HouseError that names the boards that did not make it.
        """
        deadline = time.monotonic() + _SYNC_SECONDS
        while True:
            devices = self.poll().devices
            missing = [b.id for b in self.plan if not _synchronised(devices.get(b.id))]
            if not missing:
                break
            if time.monotonic() > deadline:
                logs = ", ".join(str(self.boards[name].log_path) for name in missing)
                raise HouseError(
                    f"{', '.join(missing)}: not in time within {_SYNC_SECONDS:.0f} s; see {logs}"
                )
            self.say(f"{len(self.plan) - len(missing)} of {len(self.plan)} boards in time")
            time.sleep(_POLL_SECONDS)
        self._arrange()
        settled = time.monotonic() + settle_s
        while (left := settled - time.monotonic()) > 0:
            self.say(f"clocks settle, {left:.0f} s")
            time.sleep(min(left, 0.5))

    def _arrange(self) -> None:
        """Tell the box which boards are pairs and what they play, as people would."""
        if self._arranged:
            return
        self._arranged = True
        paired = pairs(self.plan)
        for left, right, room in paired:
            self.call("pair", left=left, right=right, name=room)
        halves = {board for left, right, _ in paired for board in (left, right)}
        for board in self.plan:
            if board.pick != BOTH and board.id not in halves:
                self.call("side", device=board.id, side=board.pick)

    def play(
        self, paths: Sequence[Path], lead_ms: int | None = None, codec: str | None = None
    ) -> Playing:
        """Plays files and folders in all rooms. Raises HouseError with the box's reason."""
        self._plays += 1
        # A file for each session: the one before may still be mapped.
        dump = (self.workdir / f"canonical-{self._plays}.pcm").absolute()
        names = [str(path.expanduser().absolute()) for path in paths]
        answer = self.call("play", paths=names, lead_ms=lead_ms, codec=codec, pcm_dump=str(dump))
        if lead_ms is None:
            lead_ms = self.poll().session.get("lead_ms")
        self.playing = Playing(answer["start_us"], answer["command_us"], codec, lead_ms, dump)
        return self.playing

    def stop(self) -> None:
        """Stops the music."""
        self.call("stop")

    def poll(self) -> Status:
        """The box's status now; keeps what boards report for `record`. Call 4 times a second."""
        status = Status(self.call("status"))
        self._reports.keep(status)
        return status

    def kill(self, board: str) -> None:
        """Cuts a board's power."""
        self.boards[board].kill()
        self._note(f"{board} killed", board)

    def restart(self, board: str) -> int:
        """Gives a board its power back; returns the house time of that, us."""
        now_us = self._note(f"{board} restarted", board)
        self.boards[board].start()
        return now_us

    def kill_box(self) -> None:
        """Ends the box as a power cut would: nothing is saved, nobody is told."""
        self.box.kill()

    def restart_box(self) -> None:
        """Starts the box again, in the folder as it was left; returns when it answers."""
        self.box.start()
        with _house_errors():
            self.box.connect()

    @property
    def network(self) -> VirtualNetwork:
        """The network between them. Raises HouseError on loopback, which has none."""
        if self._network is None:
            raise HouseError("this house is on loopback: choose a network profile")
        return self._network

    def _note(self, label: str, board: str) -> int:
        now_us = time.monotonic_ns() // 1000
        self.events.append(Event(now_us, label, board))
        return now_us

    # Results

    def network_stats(self) -> dict[str, Any] | None:
        """What the virtual network did to the traffic; None on loopback."""
        return None if self._network is None else self._network.stats()

    def record(self, until_us: int, *, counter: bool) -> Run:
        """The run so far, ready to be measured. `counter`: the music is the frame counter."""
        assert self.playing is not None, "nothing has been played"
        return Run(
            profile=self.profile,
            seed=self.seed,
            codec=self.playing.codec or "chosen by the box",
            lead_ms=self.playing.lead_ms,
            start_us=self.playing.start_us,
            command_us=self.playing.command_us,
            until_us=until_us,
            boards=[
                self._reports.of(board, self.boards[board.id].captures) for board in self.plan
            ],
            canonical=Canonical(self.playing.dump),
            counter=counter,
            events=list(self.events),
        )


@contextlib.contextmanager
def _house_errors() -> Generator[None]:
    """What is wrong with the box is wrong with the house."""
    try:
        yield
    except BoxFault as fault:
        raise HouseError(str(fault)) from fault


def _synchronised(device: dict[str, Any] | None) -> bool:
    if device is None:
        return False
    samples = device.get("clock_samples") or 0
    return (
        bool(device["connected"])
        and device.get("state") not in (None, "syncing")
        and samples >= _CLOCK_SAMPLES
    )


def _check_port(address: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, LINK_PORT))
        except OSError as fault:
            raise HouseError(
                f"port {LINK_PORT} of {address}: {os.strerror(fault.errno or 0).lower()}: "
                "does another demo or bench run? End it first, or give this one --subnet 127.77.1"
            ) from fault
