"""`phantom bench discovery`: how soon a house knows who is there.

Emulated boards on the virtual network, and a box on a cable that watches: from power-on to
listed, from a power cut to unlisted, from a goodbye to unlisted, from a new address to known. Then
how long houses of 10, 50 and 100 take to settle after a power cut, in virtual time (`settling`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from boards.emulated.board import EmulatedBoard
from boards.emulated.network import NetworkUnavailable, VirtualNetwork
from boards.emulated.network.profiles import PROFILES
from phantom.wire import mux
from tools.bench import results
from tools.bench.command import command
from tools.bench.settling import VirtualHouse
from tools.bench.steps import Steps
from tools.bench.watcher import Unseen, Watcher
from tools.demo.arguments import Parser, count
from tools.demo.installation import INSTALLATION
from tools.demo.plan import NETWORK
from tools.measure import figures

MS = 1_000_000
SIZES = (10, 50, 100)
_MOST_BOARDS = 12
# What boards differ in when they die: where in a beacon's period.
_DEATHS_APART_S = 0.37


@dataclass(frozen=True)
class Options:
    """What to run."""

    profile: str = "wifi"
    boards: int = 10
    runs: int = 5
    seed: int = 1


def main(arguments: Sequence[str]) -> int:
    """`phantom bench discovery`; returns the exit status: 2 if it can't be run as asked."""
    parser = Parser(prog="phantom bench discovery", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--json", action="store_true", help="print nothing but the JSON line")
    add("--profile", default="wifi", choices=sorted(PROFILES), help="network (default: wifi)")
    add("--boards", type=count, default=10, help="emulated boards, 2 to 12 (default: 10)")
    add("--runs", type=count, default=5, help="deaths, goodbyes, moves and houses (default: 5)")
    add("--seed", type=int, default=1, help="of the network (default: 1)")
    faults = (NetworkUnavailable, ValueError, Unseen)
    return command("discovery", parser, arguments, lambda o: run(Options(**o)), summary, faults)


def run(options: Options) -> dict[str, Any]:
    """Measure. Raises NetworkUnavailable where there can be no virtual network."""
    if not 2 <= options.boards <= _MOST_BOARDS:
        raise ValueError(f"--boards {options.boards}: choose 2 to {_MOST_BOARDS}")
    workdir = results.workdir(f"discovery-{options.profile}")
    try:
        with Steps() as steps, VirtualNetwork(options.profile, options.seed) as network:
            house = _House(network, workdir, options)
            try:
                measured = house.measure(steps)
            finally:
                house.close()
            settled = _settle(options, steps)
    finally:
        shutil.rmtree(workdir, ignore_errors=True)
    return {
        "bench": "discovery",
        "emulated": True,
        "profile": options.profile,
        "boards": options.boards,
        "runs": options.runs,
        "seed": options.seed,
        **measured,
        "settle_ms": settled,
    }


def _settle(options: Options, steps: Steps) -> dict[str, Any]:
    settled: dict[str, Any] = {}
    for size in SIZES:
        steps.next(f"{size} devices start at once")
        took: list[int | None] = []
        beacons: list[int] = []
        for run_number in range(options.runs):
            steps.say(f"house {run_number + 1} of {options.runs}")
            house = VirtualHouse(size, options.profile, options.seed + run_number)
            took.append(house.settle())
            beacons.append(house.broadcasts)
        known = [ms for ms in took if ms is not None]
        settled[str(size)] = {
            **figures.distribution(np.array(known, dtype=np.float64)),
            "unsettled": len(took) - len(known),
            "broadcasts": max(beacons),
        }
    return settled


class _House:
    """A box on a cable, boards on the profile's network, and one stand-in that comes and goes."""

    def __init__(self, network: VirtualNetwork, workdir: Path, options: Options) -> None:
        self._network = network
        self._options = options
        self._watchers: list[Watcher] = []
        self._boards: list[EmulatedBoard] = []
        for number in range(options.boards):
            name, address = f"board-{number:02}", f"{NETWORK}.{11 + number}"
            self._boards.append(
                EmulatedBoard(
                    name,
                    workdir=workdir,
                    address=address,
                    launch=network.station(name, address).popen,
                    installation=INSTALLATION,
                )
            )
        self._box = self._watch("box", f"{NETWORK}.2", "wired", mux.ROLE_BOX)
        # Hears broadcasts as boards do: held by the access point, and lost now and then.
        self._listener = self._watch("listener", f"{NETWORK}.3", None, mux.ROLE_DEVICE)

    def _watch(self, name: str, address: str, profile: str | None, role: int) -> Watcher:
        network = self._network
        station = network.stations.get(name) or network.station(name, address, profile)
        watcher = Watcher(station.popen, id=name, role=role, boot=len(self._watchers) + 1)
        self._watchers.append(watcher)
        watcher.wait("started", name)
        return watcher

    def measure(self, steps: Steps) -> dict[str, Any]:
        """All figures that take real boards, in ms."""
        steps.next("power-on to listed")
        listed = self._power_on()
        steps.next("a power cut to unlisted")
        deaths = self._deaths(steps)
        steps.next("goodbye to unlisted")
        goodbyes = self._goodbyes()
        steps.next("a new address to known")
        moves = self._moves()
        return {
            "listed_ms": figures.distribution(np.array(listed)),
            "unlisted_ms": figures.distribution(np.array(deaths)),
            "goodbye_ms": figures.distribution(np.array(goodbyes)),
            "moved_ms": figures.distribution(np.array(moves)),
        }

    def _power_on(self) -> list[float]:
        since: dict[str, int] = {}
        for board in self._boards:
            board.start()  # the flash was not written yet; power came at the end of this call
            since[board.name] = time.monotonic_ns()
        return [
            (watcher.wait("added", board.name)["at_ns"] - since[board.name]) / MS
            for board in self._boards
            for watcher in (self._box, self._listener)
        ]

    def _deaths(self, steps: Steps) -> list[float]:
        took: list[float] = []
        for number in range(self._options.runs):
            board = self._boards[number % len(self._boards)]
            steps.say(board.name)
            time.sleep(_DEATHS_APART_S * (1 + number % 4))
            since = time.monotonic_ns()
            board.kill()
            for watcher in (self._box, self._listener):
                gone = watcher.wait("removed", board.name, since)
                took.append((gone["at_ns"] - since) / MS)
            since = time.monotonic_ns()
            board.start()
            self._box.wait("added", board.name, since)
            self._listener.wait("added", board.name, since)
        return took

    def _goodbyes(self) -> list[float]:
        took: list[float] = []
        for number in range(self._options.runs):
            since = time.monotonic_ns()
            leaver = self._watch("leaver", f"{NETWORK}.4", None, mux.ROLE_DEVICE)
            for watcher in (self._box, self._listener):
                watcher.wait("added", "leaver", since)
            time.sleep(_DEATHS_APART_S * (1 + number % 4))
            said = leaver.stop()
            took += [
                (watcher.wait("removed", "leaver", said)["at_ns"] - said) / MS
                for watcher in (self._box, self._listener)
            ]
        return took

    def _moves(self) -> list[float]:
        took: list[float] = []
        board = self._boards[0]
        station = self._network.stations[board.name]
        for number in range(self._options.runs):
            since = time.monotonic_ns()
            station.change_address(f"{NETWORK}.{100 + number % 100}")
            took += [
                (watcher.wait("updated", board.name, since)["at_ns"] - since) / MS
                for watcher in (self._box, self._listener)
            ]
            time.sleep(_DEATHS_APART_S)
        return took

    def close(self) -> None:
        """Power off."""
        for board in self._boards:
            board.stop()
        for watcher in self._watchers:
            watcher.kill()


def summary(result: Mapping[str, Any]) -> str:
    """The figures for a person."""

    def spread(figure: Mapping[str, Any]) -> str:
        return "  ".join(f"{key} {value}" for key, value in figure.items())

    lines = [
        f"emulated, {result['profile']}, {result['boards']} boards, {result['runs']} runs; in ms",
        f"  power-on to listed     {spread(result['listed_ms'])}",
        f"  power cut to unlisted  {spread(result['unlisted_ms'])}",
        f"  goodbye to unlisted    {spread(result['goodbye_ms'])}",
        f"  new address to known   {spread(result['moved_ms'])}",
    ]
    for size, figure in result["settle_ms"].items():
        lines.append(f"  {size:>3} start at once      {spread(figure)}")
    return "\n".join(lines)
