"""`phantom bench control`: how soon boards answer, obey and tell, with and without traffic.

One emulated house and its box, asked through the box's control socket as people's programs do, so
every figure includes the way through that. It is idle, then plays, then uploads to every board in
turn while it plays; in each state a board is called, a property of it is changed and watched, and
the volume of all rooms is changed.
"""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phantom.rpc import RpcError
from storagebox.control import ControlError
from tools.bench import music, results
from tools.bench.command import command
from tools.bench.options import HouseOptions, house_parser
from tools.bench.steps import Steps
from tools.demo.arguments import count
from tools.demo.house import House, HouseError
from tools.measure import figures

UPLOAD_BYTES = 1 << 20
# A property that is not told by then has been lost.
_TOLD_S = 5.0
# Between two questions: out of step with whatever runs at a fixed pace.
_APART_S = 0.0137
_SETTLE_S = 5.0  # nothing here depends on how well clocks agree


@dataclass(frozen=True)
class Options(HouseOptions):
    """What to run."""

    profile: str = "wifi"
    settle_s: float = _SETTLE_S
    calls: int = 200
    changes: int = 60


def main(arguments: Sequence[str]) -> int:
    """`phantom bench control`; returns the exit status: 2 if it can't be run as asked."""
    parser = house_parser("control", "Measure how soon boards answer, obey and tell.")
    parser.set_defaults(profile="wifi", settle_s=_SETTLE_S)
    parser.add_argument("--calls", type=count, default=200, help="in each state (default: 200)")
    parser.add_argument(
        "--changes", type=count, default=60, help="of volume, in each state (default: 60)"
    )
    faults = (HouseError, ValueError)
    return command("control", parser, arguments, lambda o: run(Options(**o)), summary, faults)


def run(options: Options) -> dict[str, Any]:
    """Measure. Raises HouseError where impossible."""
    workdir = results.workdir(f"control-{options.profile}")
    try:
        states, underruns = _measure(options, workdir)
    finally:
        if not options.keep:
            shutil.rmtree(workdir, ignore_errors=True)
    terms = options.terms()
    return {
        "bench": "control",
        "emulated": True,
        "profile": options.profile,
        "seed": options.seed,
        "boards": options.boards,
        "board_profile": options.board_profile,
        "codec": terms.codec,
        "lead_ms": terms.lead_ms,
        "calls": options.calls,
        "changes": options.changes,
        "upload_bytes": UPLOAD_BYTES,
        "underruns": underruns,
        **states,
    }


def _measure(options: Options, workdir: Path) -> tuple[dict[str, Any], int]:
    terms = options.terms()
    song = workdir / "music.wav"
    music.write_for(terms.codec, song, 600.0, options.seed)
    states: dict[str, Any] = {}
    with Steps() as steps, ExitStack() as stack:
        steps.next(f"{options.boards} boards, {options.profile} network")
        house = stack.enter_context(options.house(workdir, steps.say))
        house.wait_synchronised(options.settle_s)
        asker = _Asker(house, [board.id for board in house.plan], options)
        stack.callback(asker.close)
        steps.next("idle")
        states["idle"] = asker.state()
        steps.next("music plays")
        house.play([song], terms.lead_ms, terms.codec)
        time.sleep(terms.lead_ms / 1000 + 1.0)
        states["music"] = asker.state()
        steps.next("music plays, and a megabyte goes to a board")
        states["upload"] = asker.state_amid_uploads()
        house.poll()
        underruns = sum(d.get("underruns") or 0 for d in house.poll().devices.values())
        house.stop()
    return states, underruns


class _Watcher:
    """Is told of one board's properties, and notes when each volume came."""

    def __init__(self, house: House, board: str) -> None:
        self._client = house.client()
        self._client.call("watch", device=board)
        self._told: queue.SimpleQueue[tuple[Any, float]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with suppress(ControlError):  # the house closes
            for note in self._client.notifications():
                if note.params.get("name") == "renderer.volume":
                    self._told.put((note.params["value"], time.monotonic()))

    def told(self, wanted: int) -> float:
        """When that volume came. Raises HouseError if it does not."""
        while True:
            try:
                value, at_s = self._told.get(timeout=_TOLD_S)
            except queue.Empty:
                text = f"no board told renderer.volume {wanted} within {_TOLD_S:g} s"
                raise HouseError(text) from None
            if value == wanted:
                return at_s


class _Asker:
    """Asks the box, and watches every board."""

    def __init__(self, house: House, boards: list[str], options: Options) -> None:
        self._boards = boards
        self._options = options
        self._house = house
        self._asks = house.client()
        self._watchers = [_Watcher(house, board) for board in boards]
        self._volume = 50

    def close(self) -> None:
        self._asks.close()

    def state(self) -> dict[str, Any]:
        """All figures, as the house is now, in ms."""
        calls = self._calls(self._options.calls)
        changes = [self._change() for _ in range(self._options.changes)]
        return {
            "call_ms": _distribution(calls),
            "volume_ms": _distribution([done for done, _ in changes]),
            "property_ms": _distribution([ms for _, told in changes for ms in told]),
        }

    def state_amid_uploads(self) -> dict[str, Any]:
        """The same, with an upload under way to one board after another."""
        uploads = _Uploads(self._house, self._boards)
        try:
            uploads.begun.wait()
            figures_of = self.state()
        finally:
            uploads.stop()
        rates = [rate / 1000 for rate in uploads.rates]
        return {**figures_of, "upload_kbytes_per_s": _distribution(rates)}

    def _calls(self, number: int) -> list[float]:
        took: list[float] = []
        for index in range(number):
            board = self._boards[index % len(self._boards)]
            began = time.monotonic()
            self._asks.call("call", device=board, method="device.info")
            took.append((time.monotonic() - began) * 1000)
            time.sleep(_APART_S)
        return took

    def _change(self) -> tuple[float, list[float]]:
        """Change the volume of all rooms: ms until the last board had obeyed, and until each
        board's property had been told to a watcher."""
        self._volume = 90 - self._volume  # 40 or 50
        wanted = self._volume * 100
        began = time.monotonic()
        self._asks.call("volume", value=self._volume)
        done = (time.monotonic() - began) * 1000
        told = [(watcher.told(wanted) - began) * 1000 for watcher in self._watchers]
        time.sleep(_APART_S)
        return done, told


class _Uploads:
    """Uploads to one board after another, until told to stop."""

    def __init__(self, house: House, boards: list[str]) -> None:
        self.rates: list[int] = []
        self.begun = threading.Event()
        self._boards = boards
        self._client = house.client()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stopping:
            self.begun.set()
            board = self._boards[number % len(self._boards)]
            try:
                answer = self._client.call("measure", device=board, size=UPLOAD_BYTES)
            except RpcError:
                time.sleep(_APART_S)  # its link was lost; the next one is tried
            else:
                self.rates.append(answer["bytes_per_s"])
            number += 1

    def stop(self) -> None:
        self._stopping = True
        self._thread.join()
        self._client.close()


def _distribution(values: Sequence[float]) -> dict[str, Any]:
    return figures.distribution(np.array(values, dtype=np.float64))


def summary(result: Mapping[str, Any]) -> str:
    """The figures for a person."""

    def spread(figure: Mapping[str, Any]) -> str:
        return "  ".join(f"{key} {value}" for key, value in figure.items())

    names = {
        "call_ms": "a call answered, ms",
        "volume_ms": "group's last board obeys, ms",
        "property_ms": "command to watcher told, ms",
        "upload_kbytes_per_s": "upload, kbyte/s",
    }
    lines = [f"emulated, {result['profile']}, {result['boards']} boards"]
    for state in ("idle", "music", "upload"):
        lines.append(f"  {state}")
        lines += [
            f"    {names[name]:30}{spread(figure)}" for name, figure in result[state].items()
        ]
    lines.append(f"  underruns {result['underruns']}")
    return "\n".join(lines)
