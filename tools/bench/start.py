"""`phantom bench start`: how closely emulated rooms begin together, and how soon after the
command.

One house, many sessions: each is commanded, heard for half a second, and stopped. A room's start
is the instant its first frame left the DAC; docs/measurement.md has the definitions.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tools.bench import music, results
from tools.bench.command import command
from tools.bench.options import HouseOptions, house_parser
from tools.bench.steps import Steps
from tools.demo.arguments import count
from tools.demo.house import House, HouseError
from tools.demo.terms import Terms
from tools.measure import figures
from tools.measure.report import Measured, measure

# How long each session is heard, and how long the house is quiet between two.
_HEARD_SECONDS = 0.5
_QUIET_SECONDS = 0.4


@dataclass(frozen=True)
class Options(HouseOptions):
    """What to run."""

    starts: int = 20


def main(arguments: Sequence[str]) -> int:
    """`phantom bench start`; returns the exit status: 2 if it can't be run as asked."""
    parser = house_parser("start", "Measure how closely emulated rooms begin together.")
    parser.add_argument("--starts", type=count, default=20, help="how many (default: 20)")
    faults = (HouseError, ValueError)
    return command("start", parser, arguments, lambda o: run(Options(**o)), summary, faults)


def run(options: Options) -> dict[str, Any]:
    """Starts and stops the music `options.starts` times. Raises HouseError where impossible."""
    workdir = results.workdir(f"start-{options.profile}")
    try:
        sessions = _sessions(options, workdir)
    finally:
        if not options.keep:
            shutil.rmtree(workdir, ignore_errors=True)
    return _result(options, sessions)


def _sessions(options: Options, workdir: Path) -> list[Measured]:
    terms = options.terms()
    song = workdir / "music.wav"
    length = 10 * (_HEARD_SECONDS + terms.lead_ms / 1000)
    sessions: list[Measured] = []
    with Steps() as steps:
        counter = music.write_for(terms.codec, song, length, options.seed)
        steps.next(f"{options.boards} boards, {options.profile} network")
        with options.house(workdir, steps.say) as house:
            house.wait_synchronised(options.settle_s)
            steps.next(f"{options.starts} starts")
            for number in range(options.starts):
                steps.say(f"{number + 1} of {options.starts}")
                sessions.append(_session(house, song, terms, counter))
    return sessions


def _session(house: House, song: Path, terms: Terms, counter: bool) -> Measured:
    playing = house.play([song], terms.lead_ms, terms.codec)
    until_us = playing.start_us + int(_HEARD_SECONDS * 1e6)
    _sleep_until(until_us + 300_000)  # what has left the DAC is in the file by then
    house.poll()
    house.stop()
    measured = measure(house.record(until_us, counter=counter))
    time.sleep(_QUIET_SECONDS)
    return measured


def _sleep_until(house_us: int) -> None:
    time.sleep(max(0.0, house_us / 1e6 - time.monotonic()))


def _result(options: Options, sessions: Sequence[Measured]) -> dict[str, Any]:
    reports = [session.report for session in sessions]
    spreads = [r["start_spread_us"] for r in reports if r["start_spread_us"] is not None]
    delays = [r["command_to_sound_ms"] for r in reports if r["command_to_sound_ms"] is not None]
    firsts = [
        abs(board["first_frame_late_us"])
        for report in reports
        for board in report["boards"].values()
        if board["first_frame_late_us"] is not None
    ]
    terms = options.terms()
    return {
        "bench": "start",
        "emulated": True,
        "profile": options.profile,
        "seed": options.seed,
        "starts": options.starts,
        "silent_starts": len(sessions) - len(spreads),
        "boards": options.boards,
        "board_profile": options.board_profile,
        "codec": terms.codec,
        "lead_ms": terms.lead_ms,
        "settle_s": options.settle_s,
        "crystals_ppm": reports[0]["crystals_ppm"] if reports else {},
        "start_spread_us": figures.distribution(np.array(spreads)),
        "first_frame_error_us": figures.distribution(np.array(firsts)),
        "command_to_sound_ms": figures.distribution(np.array(delays)),
        "start_late_frames": max((r["start_late_frames"] for r in reports), default=0),
        "underruns": sum(r["underruns"] for r in reports),
    }


def summary(result: Mapping[str, Any]) -> str:
    """The figures for a person."""

    def spread(name: str) -> str:
        return "  ".join(f"{key} {value}" for key, value in result[name].items())

    return "\n".join(
        (
            f"emulated, {result['profile']}, {result['starts']} starts, lead {result['lead_ms']}",
            f"  first frames apart, µs    {spread('start_spread_us')}",
            f"  first frame's error, µs   {spread('first_frame_error_us')}",
            f"  command to sound, ms      {spread('command_to_sound_ms')}",
            f"  frames missed at a start  {result['start_late_frames']}",
            f"  underruns {result['underruns']}, silent starts {result['silent_starts']}",
        )
    )
