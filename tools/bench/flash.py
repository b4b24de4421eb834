"""`phantom bench flash`: how long flashing takes, and how soon a board that was reset is back.

Flashing: a bare emulated chip of 4 MB on a pseudo-terminal, written by `phantom flash`, which runs
esptool, unmodified. Then the same once more, when all is right already. Then 4 MB of noise by
esptool alone. A pseudo-terminal has no speed, so the bytes on the line are counted too, and
`at_460800_s` is what they take at that rate.

Resets: a house plays, and one of its boards is reset, again and again: until the box's registrar
has it in its new life, and until it plays in time.
"""

from __future__ import annotations

import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from boards.emulated.rom import CHIPS, FlashFile
from boards.emulated.rom.bare import BareChip
from boards.image import standin
from boards.image.partitions import MIB
from tools.bench import music, results
from tools.bench.command import command
from tools.bench.options import HouseOptions, house_parser
from tools.bench.steps import Steps
from tools.demo.arguments import count
from tools.demo.house import House, HouseError
from tools.flash import catalogue, flashing
from tools.flash import steps as flash_steps
from tools.flash.faults import FlashFault
from tools.flash.flashing import BAUD, Job
from tools.flash.identity import Identity
from tools.flash.wifi import Wifi
from tools.measure import figures
from tools.measure.report import measure

_CHIP_BYTES = 4 * MIB
NOISE_BYTES = _CHIP_BYTES
_BITS_PER_BYTE = 10  # 8, and a start and a stop bit
_ESPTOOL_SECONDS = 300.0
# A board that isn't back by then has failed.
_BACK_SECONDS = 40.0
# To count as back it has to play in time for 1 s (figures.rejoin_s); some more until the next.
_HEARD_SECONDS = 2.5
_POLL_SECONDS = 0.1

_EVENT = re.compile(r"^(\S+) (peer\.(?:added|updated)|link\.up) (?:id|device)=(\S+)")


@dataclass(frozen=True)
class Options(HouseOptions):
    """What to run."""

    boards: int = 2
    settle_s: float = 5.0
    runs: int = 3
    resets: int = 5


def main(arguments: Sequence[str]) -> int:
    """`phantom bench flash`; returns the exit status: 2 if it can't be run as asked."""
    parser = house_parser("flash", "Measure flashing, and the return of a board after a reset.")
    parser.set_defaults(boards=2, settle_s=5.0)
    parser.add_argument("--runs", type=count, default=3, help="of flashing (default: 3)")
    parser.add_argument("--resets", type=count, default=5, help="of a board (default: 5)")
    faults = (HouseError, FlashFault, ValueError)
    return command("flash", parser, arguments, lambda o: run(Options(**o)), summary, faults)


def run(options: Options) -> dict[str, Any]:
    """Measure. Raises HouseError and FlashFault where impossible."""
    workdir = results.workdir(f"flash-{options.profile}")
    try:
        with Steps() as steps:
            flashed = _flash(options, workdir, steps)
            returned = _resets(options, workdir, steps)
    finally:
        if not options.keep:
            shutil.rmtree(workdir, ignore_errors=True)
    return {
        "bench": "flash",
        "emulated": True,
        "board_profile": options.board_profile,
        "runs": options.runs,
        "chip_bytes": _CHIP_BYTES,
        **flashed,
        "profile": options.profile,
        "seed": options.seed,
        "boards": options.boards,
        "resets": options.resets,
        **returned,
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most of a few runs, in what they are measured in."""
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


# Flashing


def _flash(options: Options, workdir: Path, steps: Steps) -> dict[str, Any]:
    firmware = workdir / "micropython.bin"
    firmware.write_bytes(standin.micropython(options.board_profile))
    noise = workdir / "noise.bin"
    noise.write_bytes(random.Random(options.seed).randbytes(NOISE_BYTES))
    first: list[float] = []
    again: list[float] = []
    alone: list[float] = []
    written = line = 0
    for number in range(options.runs):
        steps.next(f"flash {number + 1} of {options.runs}")
        flash = FlashFile.blank(workdir / "chip.bin", _CHIP_BYTES)
        with BareChip(CHIPS[options.board_profile], flash) as chip:
            job = _job(options, chip.port, firmware, workdir)
            done = flashing.flash(job, flash_steps.Steps(shown=False))
            first.append(done.seconds)
            written, line = done.written, chip.line_bytes
            steps.say("again")
            again.append(flashing.flash(job, flash_steps.Steps(shown=False)).seconds)
            steps.say("noise, by esptool alone")
            alone.append(_esptool(options.board_profile, chip.port, noise))
    return {
        "written_bytes": written,
        "line_bytes": line,
        "flash_s": spread(first),
        "again_s": spread(again),
        "esptool_4mb_s": spread(alone),
        "at_460800_s": round(line * _BITS_PER_BYTE / BAUD, 1),
    }


def _job(options: Options, port: str, firmware: Path, workdir: Path) -> Job:
    name = next(n for n in catalogue.names() if catalogue.board(n).chip == options.board_profile)
    board = catalogue.board(name)
    return Job(
        port=port,
        board=board.name,
        chip=board.chip,
        facts=board.facts,
        firmware=str(firmware),
        identity=Identity("kitchen", "Kitchen", Wifi("home", "secret12")),
        watch_seconds=0,
        compiled=workdir / "compiled",
    )


def _esptool(chip: str, port: str, file: Path) -> float:
    line = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port]
    began = time.monotonic()
    done = subprocess.run(
        [*line, "write-flash", "0", str(file)],
        capture_output=True,
        text=True,
        timeout=_ESPTOOL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise FlashFault(f"esptool failed: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
    return time.monotonic() - began


# Resets


def _resets(options: Options, workdir: Path, steps: Steps) -> dict[str, Any]:
    terms = options.terms()
    song = workdir / "music.wav"
    length = 30.0 + options.resets * (_BACK_SECONDS + _HEARD_SECONDS)
    counter = music.write_for(terms.codec, song, length, options.seed)
    steps.next(f"{options.boards} boards, {options.profile} network")
    house = options.house(workdir, steps.say)
    at_us: list[int] = []
    with house:
        house.wait_synchronised(options.settle_s)
        house.play([song], terms.lead_ms, terms.codec)
        victim = house.plan[-1].id
        _until_playing(house, victim, since_captures=0)
        steps.next(f"{options.resets} resets")
        for number in range(options.resets):
            steps.say(f"{number + 1} of {options.resets}")
            lives = len(house.boards[victim].captures)
            at_us.append(time.monotonic_ns() // 1000)
            house.boards[victim].reset()
            _until_playing(house, victim, since_captures=lives)
        run = house.record(time.monotonic_ns() // 1000, counter=counter)
        house.stop()
        log = house.box_log.read_text(errors="replace")
    steps.next("measuring")
    played = measure(run).played[-1]
    back = [figures.rejoin_s(played, us, boot=n + 1) for n, us in enumerate(at_us)]
    sounds = [seconds for seconds in back if seconds is not None]
    listed, linked = _seen(log, victim, at_us)
    return {
        "unheard": len(back) - len(sounds),
        "reset_to_registrar_s": spread(listed),
        "reset_to_link_s": spread(linked),
        "reset_to_sound_s": spread(sounds) if sounds else None,
    }


def _until_playing(house: House, board: str, since_captures: int) -> None:
    """Until a board of a newer life has played for a while. Raises HouseError."""
    deadline = time.monotonic() + _BACK_SECONDS
    since: float | None = None
    while since is None or time.monotonic() < since + _HEARD_SECONDS:
        device = house.poll().devices.get(board, {})
        newer = len(house.boards[board].captures) > since_captures
        playing = newer and device.get("connected") and device.get("state") == "playing"
        since = (since or time.monotonic()) if playing else None
        if since is None and time.monotonic() > deadline:
            raise HouseError(f"{board} is not back in the music after {_BACK_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _seen(log: str, board: str, at_us: Sequence[int]) -> tuple[list[float], list[float]]:
    """After each reset, seconds until the box's registrar has the new life, and until its link.

    By the box's log, whose times are the machine's wall clock in milliseconds.
    """
    wall_minus_monotonic = time.time() - time.monotonic()
    events: dict[str, list[float]] = {"peer": [], "link": []}
    for line in log.splitlines():
        found = _EVENT.match(line)
        if found and found[3] == board:
            at = datetime.fromisoformat(found[1]).timestamp() - wall_minus_monotonic
            events[found[2].split(".")[0]].append(at)
    ends = [*(us / 1e6 for us in at_us[1:]), float("inf")]
    listed: list[float] = []
    linked: list[float] = []
    for us, end in zip(at_us, ends, strict=True):
        for kind, into in (("peer", listed), ("link", linked)):
            after = [at for at in events[kind] if us / 1e6 - 0.002 <= at < end]
            if not after:
                raise HouseError(f"the box's log tells of no {kind} after a reset of {board}")
            into.append(max(0.0, after[0] - us / 1e6))
    return listed, linked


def summary(result: Mapping[str, Any]) -> str:
    """The figures for a person."""

    def of(name: str) -> str:
        found = result[name]
        if found is None:
            return "never"
        return f"{found['median']} s  ({found['min']} to {found['max']})"

    return "\n".join(
        (
            (
                f"emulated, {result['board_profile']}, {result['runs']} runs and "
                f"{result['resets']} resets, {result['profile']}"
            ),
            f"  phantom flash, {result['written_bytes'] / MIB:.3g} MB      {of('flash_s')}",
            f"  again, all right already  {of('again_s')}",
            f"  esptool alone, 4 MB noise {of('esptool_4mb_s')}",
            (
                f"  on the line               {result['line_bytes'] / MIB:.3g} MB: "
                f"{result['at_460800_s']} s at 460800 baud"
            ),
            f"  reset to in the registrar {of('reset_to_registrar_s')}",
            f"  reset to linked           {of('reset_to_link_s')}",
            f"  reset to sound in time    {of('reset_to_sound_s')}; {result['unheard']} unheard",
        )
    )
