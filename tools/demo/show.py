"""`phantom demo`: music in four emulated rooms, with the true error shown while it plays.

At the end it leaves what each room heard as a WAV file, a picture of the error, and all figures as
JSON.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from boards.emulated.interpreter import state_folder
from phantom.wire.audio import LEFT, RIGHT
from tools.demo import plan, view
from tools.demo.arguments import BAD_INPUT, Parser, loopback, ppm, seconds
from tools.demo.house import House, HouseError, Playing
from tools.demo.reports import Status
from tools.demo.terms import TERMS, terms_of
from tools.demo.view import DeviceView, HouseView, RoomView
from tools.measure.canonical import RATE, Canonical
from tools.measure.live import LiveError
from tools.measure.plot import plot
from tools.measure.report import Measured, measure
from tools.measure.wav import write_room
from tools.progress import Step

_POLL_SECONDS = 0.25
_LINES_EVERY_SECONDS = 2.0
# Rooms of a home have been in time for long when somebody wants music; these have just begun.
_SETTLE_SECONDS = 2.0
# Sound on its way to the DACs when the music is over.
_TAIL_SECONDS = 0.3
# Five files grow by 12 MB a minute each; the demo ends before it fills somebody's disk.
_MIN_FREE_BYTES = 300_000_000
_SHOWN_COMPLAINTS = 4


@dataclass(frozen=True)
class Options:
    """What to play, where."""

    music: list[Path]
    seconds: float | None
    profile: str
    seed: int
    ppm: float
    board_profile: str
    subnet: str
    out: Path
    keep: bool


def main(arguments: Sequence[str]) -> int:
    """Runs the demo; returns the exit status. Raises KeyboardInterrupt, after SIGTERM too.

    While music plays, Ctrl-C ends it as its own end would, with all results.
    """
    try:
        options = _parse(arguments)
    except SystemExit as ending:
        return int(ending.code or 0)
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        return _run(options)
    except HouseError as fault:
        print(f"phantom demo: {fault}", file=sys.stderr)
        return BAD_INPUT
    finally:
        signal.signal(signal.SIGTERM, before)


def _as_interrupt(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _parse(arguments: Sequence[str]) -> Options:
    parser = Parser(prog="phantom demo", description="Play in four emulated rooms, in time.")
    parser.add_argument(
        "--music", action="append", type=Path, default=[], metavar="PATH",
        help="a folder or file to play; may be repeated; without it a small album is made",
    )  # fmt: skip
    parser.add_argument("--seconds", type=seconds, help="end after so long; else with the music")
    parser.add_argument(
        "--profile", default=plan.NO_NETWORK, choices=sorted(TERMS),
        help="the network: none is loopback, the others need /dev/net/tun (default: none)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="of crystals and network (default: 1)")
    parser.add_argument(
        "--ppm", type=ppm, default=plan.CRYSTAL_PPM,
        help="crystals are spread over plus and minus this (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--board", default="esp32", choices=("esp32", "esp32s3", "esp32c3"),
        help="which chip the boards are (default: esp32)",
    )  # fmt: skip
    parser.add_argument(
        "--subnet", type=loopback, default=plan.LOOPBACK,
        help="loopback addresses to use, for a second house (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="where results go (default: build/run/TIME)")
    parser.add_argument("--keep", action="store_true", help="keep captures and logs there too")
    chosen = parser.parse_args(arguments)
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return Options(
        chosen.music,
        chosen.seconds,
        chosen.profile,
        chosen.seed,
        chosen.ppm,
        chosen.board,
        chosen.subnet,
        chosen.out or state_folder() / "run" / stamp,
        chosen.keep,
    )


def _run(options: Options) -> int:
    music = _music(options.music)
    subnet = plan.subnet_of(options.profile, options.subnet)
    boards = plan.home(subnet, options.seed, options.ppm)
    working = options.out / "working"
    house = House(boards, working, options.profile, options.seed, options.board_profile)
    try:
        with ExitStack() as stack:
            with _Step("a box and four boards") as step:
                house.say = step.say
                stack.enter_context(house)
            with _Step("clocks find house time") as step:
                house.say = step.say
                house.wait_synchronised(_SETTLE_SECONDS)
            terms = terms_of(options.profile)
            playing = house.play(music, terms.lead_ms, terms.codec)
            show = _Show(house, playing, options)
            until_us = show.watch()
            complaints = house.poll().complaints + show.notes
            house.stop()
            time.sleep(_TAIL_SECONDS)
        with _Step("measuring"):
            measured = measure(house.record(until_us, counter=False))
            files = _leave(measured, options)
    finally:
        if not options.keep:
            shutil.rmtree(working, ignore_errors=True)
            with suppress(OSError):
                options.out.rmdir()  # only where nothing came of it
    print(_summary(measured, files, complaints))
    return 0


def _music(asked: list[Path]) -> list[Path]:
    """What to play; a small album of our own when nothing is asked for."""
    from storagebox.sources import scan
    from storagebox.sources.source import SourceError

    if asked:
        try:
            scan.check([str(path) for path in asked])
        except SourceError as fault:
            raise HouseError(str(fault)) from fault
        return asked
    from tools.album import make_album

    with _Step("a small album, made once") as step:
        return make_album(state_folder() / "album", lambda _, doing: step.say(doing))


class _Step:
    """A step of getting ready, shown while it lasts."""

    def __init__(self, title: str) -> None:
        self._title = title

    def __enter__(self) -> Step:
        self._step = Step(self._title, sys.stdout)
        return self._step

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        failed = "interrupted after" if kind is KeyboardInterrupt else "failed after"
        self._step.end("done in" if kind is None else failed)


class _Show:
    """The house while it plays."""

    def __init__(self, house: House, playing: Playing, options: Options) -> None:
        self._house = house
        self._playing = playing
        self._options = options
        self._canonical = Canonical(playing.dump)
        self._errors = {
            board.id: LiveError(self._canonical, board.pick, playing.start_us)
            for board in house.plan
        }
        self.notes: list[str] = []  # why it ended before the music

    def watch(self) -> int:
        """Shows the house until the music, the time or the person ends it: house time of that."""
        status = self._house.poll()
        try:
            if sys.stdout.isatty():
                live = Live(console=Console(), auto_refresh=False)
                try:  # not `with`: Ctrl-C amid its start must give the cursor back, too
                    live.start()
                    while self._goes_on(status):
                        live.update(view.table(self._view(status)), refresh=True)
                        time.sleep(_POLL_SECONDS)
                        status = self._house.poll()
                finally:
                    live.stop()
            else:
                shown = -_LINES_EVERY_SECONDS
                while self._goes_on(status):
                    if self._elapsed() >= shown + _LINES_EVERY_SECONDS:
                        shown = self._elapsed()
                        print("\n".join(view.lines(self._view(status))), flush=True)
                    time.sleep(_POLL_SECONDS)
                    status = self._house.poll()
        except KeyboardInterrupt:
            self.notes.append("interrupted")
        return self._end_us(status)

    def _elapsed(self) -> float:
        return time.monotonic() - self._playing.start_us / 1e6

    def _goes_on(self, status: Status) -> bool:
        if not status.plays:
            reason = status.session.get("reason")
            if reason and status.session.get("state") == "failed":
                raise HouseError(f"the music stopped: {reason}")
            return False
        if shutil.disk_usage(self._house.workdir).free < _MIN_FREE_BYTES:
            self.notes.append("ended early: the disk is nearly full")
            return False
        limit = self._options.seconds
        return limit is None or self._elapsed() < limit + _TAIL_SECONDS

    def _end_us(self, status: Status) -> int:
        """The end of what can be measured: the music's, the time's, or now."""
        self._canonical.refresh()
        start_us = self._playing.start_us
        ends = [time.monotonic_ns() // 1000]
        if not status.plays:
            ends.append(start_us + len(self._canonical) * 1_000_000 // RATE)
        if self._options.seconds is not None:
            ends.append(start_us + int(self._options.seconds * 1e6))
        return min(ends)

    def _view(self, status: Status) -> HouseView:
        self._canonical.refresh()
        now_ns = time.monotonic_ns()
        rooms: dict[str, list[DeviceView]] = {}
        for board in self._house.plan:
            device = status.devices[board.id]
            true_us = self._errors[board.id].update(
                self._house.boards[board.id].capture_path, now_ns
            )
            rooms.setdefault(board.room, []).append(_device(device, board.pick, true_us))
        return HouseView(
            elapsed_s=self._elapsed(),
            total_s=self._options.seconds,
            track=status.track,
            rooms=[RoomView(name, devices) for name, devices in rooms.items()],
            heading=f"Phantom · four emulated boards · {_network(self._options.profile)}",
            notes=status.complaints[-_SHOWN_COMPLAINTS:],
        )


def _device(device: dict[str, Any], pick: str, true_us: float | None) -> DeviceView:
    side = pick if pick in (LEFT, RIGHT) else ""
    if not device["connected"]:
        return DeviceView("away", side, true_us=true_us)
    plays = device.get("state") == "playing"
    return DeviceView(
        device.get("state") or "away",
        side,
        device.get("buffer_ms"),
        device.get("rtt_us"),
        device.get("error_us") if plays else None,
        true_us,
        device.get("underruns") or 0,
    )


def _network(profile: str) -> str:
    return "loopback" if profile == plan.NO_NETWORK else f"network: {profile}"


def _leave(measured: Measured, options: Options) -> list[Path]:
    """Writes WAVs, picture and report; their paths."""
    run = measured.run
    length = (run.until_us - run.start_us) / 1e6
    files: list[Path] = []
    for room in dict.fromkeys(board.room for board in run.boards):
        path = options.out / f"{room.lower().replace(' ', '-')}.wav"
        boards = [(board.pick, board.captures) for board in run.boards if board.room == room]
        write_room(path, boards, run.start_us, length)
        files.append(path)
    picture = options.out / "error.png"
    plot(measured, picture, f"Four emulated rooms, {_network(options.profile)}, {length:.0f} s")
    report = options.out / "report.json"
    report.write_text(json.dumps({"kind": "demo", **measured.report}, indent=2) + "\n")
    return [*files, picture, report]


def _summary(measured: Measured, files: Sequence[Path], complaints: Sequence[str]) -> str:
    report = measured.report
    error = report["true_error_us"]
    lines = [""]
    if error["max"] is None:
        lines.append("  Nothing sounded in two rooms at once.")
    else:
        lines.append(
            f"  Any two boards were within {error['p50']} µs half the time, {error['p99']} µs "
            f"99 % of it, {error['max']} µs always (true, emulated)."
        )
    started = report["start_spread_us"]
    if started is not None:
        lines.append(
            f"  Started within {started} µs of each other, {report['command_to_sound_ms']} ms "
            f"after the command. Underruns: {report['underruns']}."
        )
    lines += [f"  {complaint}" for complaint in complaints]
    lines += ["", *(f"  {_near(path)}" for path in files)]
    return "\n".join(lines)


def _near(path: Path) -> Path:
    """A path as short as it can be written from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
