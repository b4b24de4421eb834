"""`phantom bench sync`: plays in emulated rooms and measures how far apart they truly are.

The music is a frame counter (or noise, for lossy codecs), decoded, sent and rendered by the
shipping code; the emulated DACs record which frame left them when. Figures count from the first
frame on. docs/measurement.md defines each.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench import music, results
from tools.bench.command import command
from tools.bench.options import HouseOptions, house_parser
from tools.bench.steps import Steps
from tools.demo.arguments import seconds
from tools.demo.house import House, HouseError, Playing
from tools.measure import figures
from tools.measure.accounting import exactness
from tools.measure.canonical import RATE
from tools.measure.plot import plot
from tools.measure.report import Measured, measure

# The music goes on this much longer than the measurement, so that its end is not measured.
_TAIL_SECONDS = 2.0
_POLL_SECONDS = 0.25
_DEVICE_FIGURES = ("rtt_us", "rtt_p95_us", "loop_max_us", "gc_max_us", "late_chunks")
# How long a killed board stays without power.
_DARK_SECONDS = 1.0


@dataclass(frozen=True)
class Options(HouseOptions):
    """What to run."""

    seconds: float = 60.0
    kill_at: float | None = None  # cut one board's power so many seconds into the music


def main(arguments: Sequence[str]) -> int:
    """`phantom bench sync`; returns the exit status: 2 if it can't be run as asked."""
    parser = house_parser("sync", "Measure how far apart emulated rooms truly are.")
    parser.add_argument("--seconds", type=seconds, default=60.0, help="of music (default: 60)")
    parser.add_argument(
        "--kill-at",
        type=seconds,
        help="cut a board's power then, for a second, and time its return",
    )
    faults = (HouseError, ValueError)
    return command("sync", parser, arguments, lambda o: run(Options(**o)), summary, faults)


def run(options: Options) -> dict[str, Any]:
    """Runs the house and measures it. Raises HouseError where that's impossible."""
    workdir = results.workdir(f"sync-{options.profile}")
    try:
        measured, extra = _play_and_measure(options, workdir)
        picture = results.folder() / f"sync-{options.profile}.png"
        plot(measured, picture, _title(options))
    finally:
        if not options.keep:
            shutil.rmtree(workdir, ignore_errors=True)
    return {
        "bench": "sync",
        **measured.report,
        **extra,
        "board_profile": options.board_profile,
        "settle_s": options.settle_s,
        "plot": str(picture),
    }


def _play_and_measure(options: Options, workdir: Path) -> tuple[Measured, dict[str, Any]]:
    terms = options.terms()
    song = workdir / "music.wav"
    with Steps() as steps:
        steps.next("music of the bench")
        length = options.seconds + _TAIL_SECONDS + terms.lead_ms / 1000
        counter = music.write_for(terms.codec, song, length, options.seed)
        steps.next(f"{options.boards} boards, {options.profile} network")
        with options.house(workdir, steps.say) as house:
            house.wait_synchronised(options.settle_s)
            steps.next(f"playing for {options.seconds:g} s")
            playing = house.play([song], terms.lead_ms, terms.codec)
            restart_us = _listen(house, playing, options, steps)
            extra = _told(house)
            house.stop()
            until_us = playing.start_us + int(options.seconds * 1e6)
            record = house.record(until_us, counter=counter)
            if extra["box"]["underflow_chunks"]:
                # Silence was inserted: the numbers are no longer the frames.
                record.counter = False
        steps.next("measuring")
        measured = measure(record)
        if counter and not options.ppm:
            frames = int(options.seconds * RATE)
            extra["exact"] = {
                board.board: exactness(played, record.canonical, frames).equal
                for board, played in zip(record.boards, measured.played, strict=True)
            }
    if restart_us is not None:
        extra["rejoin_s"] = figures.rejoin_s(_victim(measured, options), restart_us, boot=1)
    return measured, extra


def _told(house: House) -> dict[str, Any]:
    """What box, devices and network tell of the music so far."""
    box = house.poll()
    return {
        "box": {
            "underflow_chunks": box.session.get("underflow_chunks"),
            "tick_late_max_us": box.session.get("tick_late_max_us"),
        },
        "devices": {
            name: {key: device.get(key) for key in _DEVICE_FIGURES}
            for name, device in box.devices.items()
        },
        "network": house.network_stats(),
    }


def _listen(house: House, playing: Playing, options: Options, steps: Steps) -> int | None:
    """Lets the music play, cutting and restoring power if so told; house time of the restart."""
    restart_us: int | None = None
    dark = False
    victim = _victim_id(house)
    while True:
        at = time.monotonic() - playing.start_us / 1e6
        if at > options.seconds + 0.5:
            return restart_us
        if options.kill_at is not None and restart_us is None:
            if not dark and at >= options.kill_at:
                house.kill(victim)
                dark = True
            elif dark and at >= options.kill_at + _DARK_SECONDS:
                restart_us = house.restart(victim)
        status = house.poll()
        if not status.plays:
            reason = status.session.get("reason") or status.session.get("state")
            raise HouseError(f"the music ended after {at:.1f} s: {reason}; see {house.box_log}")
        steps.say(f"{max(at, 0):.0f} s")
        time.sleep(_POLL_SECONDS)


def _victim_id(house: House) -> str:
    return house.plan[min(1, len(house.plan) - 1)].id


def _victim(measured: Measured, options: Options) -> Any:
    return measured.played[min(1, options.boards - 1)]


def _title(options: Options) -> str:
    terms = options.terms()
    return (
        f"{options.boards} emulated boards, {options.profile}, {terms.codec}, "
        f"lead {terms.lead_ms} ms, crystals ±{options.ppm:g} ppm"
    )


def summary(result: Mapping[str, Any]) -> str:
    """The figures for a person."""

    def spread(name: str) -> str:
        values = result[name]
        return "  ".join(f"{key} {value}" for key, value in values.items())

    lines = [
        (
            f"emulated, {result['profile']}, {result['seconds']:g} s, {result['codec']}, "
            f"lead {result['lead_ms']} ms, seed {result['seed']}"
        ),
        f"  true error between boards, µs   {spread('true_error_us')}",
        f"  believed against true, µs       {spread('believed_gap_us')}",
        (
            f"  underruns {result['underruns']}, dropouts {result['dropouts']}, "
            f"trims {result['trims']}, jumps {result['jumps']}"
        ),
        (
            f"  start spread {result['start_spread_us']} µs, "
            f"command to sound {result['command_to_sound_ms']} ms"
        ),
    ]
    if "exact" in result:
        exact = result["exact"]
        lines.append(
            f"  every frame once and unchanged on {sum(exact.values())} of {len(exact)} boards"
        )
    if "rejoin_s" in result:
        lines.append(f"  a killed board was back in time after {result['rejoin_s']} s")
    lines.append(f"  plot {result['plot']}")
    return "\n".join(lines)
