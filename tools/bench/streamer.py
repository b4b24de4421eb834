"""`phantom bench streamer`: how many devices one core of the box feeds.

The box that ships runs as a process of its own, source included, held to one core. Stand-in
devices in another process, held to another core, speak the real wire: HELLO, windows, reports,
eight clock exchanges a second each. Half of them are solo speakers (PCM16 stereo), half are halves
of stereo pairs (PCM16, one channel). A number of devices passes if every chunk reaches every
device at least 100 ms before its play time. The largest is searched by doubling, then halving.

The kernel's work for the receiving end of a loopback connection is done by the sender, so the box
pays for more here than on a real network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phantom.rpc import RpcError
from phantom.wire import audio
from storagebox import installation
from storagebox.control import ControlClient, ControlError
from storagebox.coordinator.session import MAX_LEAD_MS
from storagebox.coordinator.terms import LADDER
from tools.bench import music
from tools.bench.command import command
from tools.demo.arguments import Parser, seconds
from tools.demo.installation import INSTALLATION
from tools.progress import Step

# A chunk must be there so long before it sounds: the longest stall of a good wireless network.
MARGIN_MS = 100
START_DEVICES = 50
MAX_DEVICES = 1600
# The search ends when the answer is known so closely.
RESOLUTION = 0.05
# A trial that fails is repeated: other work on the machine is no fault of the box.
ATTEMPTS = 2
_READY_SECONDS = 60.0
_BOX_ADDRESS = "127.0.0.1"
_FIRST_PORT = 20000


class BenchError(Exception):
    """The bench can't be run here; one line that says why."""


@dataclass(frozen=True)
class Options:
    """What to run; `devices` None searches, a number tries just that many."""

    seconds: float = 8.0
    lead_ms: int = LADDER[0].lead_ms
    codec: str = "pcm16"
    devices: int | None = None
    seed: int = 1


def main(arguments: Sequence[str]) -> int:
    """`phantom bench streamer`; returns the exit status: 2 if it can't be run as asked."""
    parser = Parser(
        prog="phantom bench streamer", description="Find how many devices one core feeds."
    )
    add = parser.add_argument
    add("--json", action="store_true", help="print nothing but the JSON line")
    add("--seconds", type=seconds, default=8.0, help="of music, each trial (default: 8)")
    add("--devices", type=int, help="try just so many; default: search the most")
    add(
        "--lead-ms",
        type=int,
        default=LADDER[0].lead_ms,
        help="how far ahead (default: %(default)s)",
    )
    add("--codec", choices=sorted(audio.CODECS), default="pcm16", help="default: pcm16")
    add("--seed", type=int, default=1, help="of the noise that is played (default: 1)")
    faults = (BenchError,)
    return command("streamer", parser, arguments, lambda o: run(Options(**o)), summary, faults)


def run(options: Options) -> dict[str, Any]:
    """Searches the largest number of devices. Raises BenchError where that's impossible."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchError("needs two cores: one for the box, one for the devices")
    if options.devices is not None and not 1 <= options.devices <= MAX_DEVICES:
        raise BenchError(f"--devices {options.devices} is not within 1 to {MAX_DEVICES}")
    if not MARGIN_MS < options.lead_ms <= MAX_LEAD_MS:
        raise BenchError(f"--lead-ms {options.lead_ms} is not within {MARGIN_MS} to {MAX_LEAD_MS}")
    step = Step("devices on one core", sys.stderr)
    trials: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="phantom-bench-") as folder:
        song = Path(folder) / "music.wav"
        music.write_noise(song, options.seconds + options.lead_ms / 1000 + 2.0, options.seed)

        def passes(devices: int) -> bool:
            for _ in range(ATTEMPTS):
                step.say(f"{devices} devices")
                trial = Trial(devices, options, Path(folder), song, cores[0], cores[1]).run()
                trials.append(trial)
                if trial["passed"]:
                    return True
            return False

        best = _search(passes, options.devices)
    step.detail = str(best)
    step.end("done in")
    passed = [trial for trial in trials if trial["passed"] and trial["devices"] == best]
    figures: dict[str, Any] = passed[0] if passed else trials[-1]
    return {
        "bench": "streamer",
        "devices_per_core": best,
        **{key: figures[key] for key in ("cpu_share", "chunk_lateness_ms", "clock_hold_us")},
        "lead_ms": options.lead_ms,
        "margin_ms": MARGIN_MS,
        "codec": options.codec,
        "seconds": options.seconds,
        "seed": options.seed,
        "trials": trials,
    }


def _search(passes: Any, only: int | None) -> int:
    if only is not None:
        return only if passes(only) else 0
    good, bad = 0, START_DEVICES
    while bad <= MAX_DEVICES and passes(bad):
        good, bad = bad, bad * 2
    while bad - good > max(1, round(good * RESOLUTION)) and bad <= MAX_DEVICES:
        middle = (good + bad) // 2
        if passes(middle):
            good = middle
        else:
            bad = middle
    return good


class Trial:
    """One number of devices, once."""

    def __init__(
        self,
        devices: int,
        options: Options,
        folder: Path,
        song: Path,
        box_core: int,
        device_core: int,
    ) -> None:
        self._devices = _devices(devices)
        self._options = options
        self._folder = folder
        self._song = song
        self._box_core = box_core
        self._device_core = device_core

    def run(self) -> dict[str, Any]:
        """The figures, and whether it passed."""
        sinks = self._start_sinks()
        box = None
        try:
            _line(sinks, None)
            box = self._start_box()
            with ControlClient(self._folder / "box.sock", _READY_SECONDS) as control:
                count = len(self._devices)
                control.call("wait", what="devices", timeout_s=_READY_SECONDS, count=count)
                return self._play(control, box, sinks)
        except (ControlError, RpcError, ValueError) as fault:
            raise BenchError(f"{len(self._devices)} devices: {fault}") from fault
        finally:
            for process in (box, sinks):
                if process is not None:
                    process.terminate()
                    process.wait()

    def _start_sinks(self) -> subprocess.Popen[bytes]:
        facts = self._folder / "facts.json"
        body = {
            "devices": self._devices,
            "box_address": _BOX_ADDRESS,
            "core": self._device_core,
        }
        facts.write_text(json.dumps(body))
        return subprocess.Popen(
            [sys.executable, "-m", "tools.bench.sinks", str(facts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _start_box(self) -> subprocess.Popen[bytes]:
        installation.found(self._folder, INSTALLATION)
        argv = [sys.executable, "-m", "storagebox.cli", "box"]
        argv += ["--address", _BOX_ADDRESS, "--state", str(self._folder)]
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._box_core})  # inherited by the box and all it starts
        try:
            with (self._folder / "box.log").open("wb") as log:
                return subprocess.Popen(argv, stdout=log, stderr=log)
        finally:
            os.sched_setaffinity(0, allowed)

    def _play(
        self, control: ControlClient, box: subprocess.Popen[bytes], sinks: subprocess.Popen[bytes]
    ) -> dict[str, Any]:
        options = self._options
        before = _line(sinks, b"\n")
        cpu_before, at = _cpu_seconds(box.pid), time.monotonic()
        control.call("play", paths=[str(self._song)], lead_ms=options.lead_ms, codec=options.codec)
        time.sleep(options.seconds)
        cpu_after, ended = _cpu_seconds(box.pid), time.monotonic()
        heard = _line(sinks, b"\n")
        status = control.call("status")
        listed = [device for room in status["rooms"] for device in room["devices"]]
        skipped = sum(device["skipped_chunks"] for device in listed)
        connections = sum(device["connections"] for device in listed)
        slack = heard["slack_us"]
        lossless = heard["missing"] == heard["silent"] == skipped == 0
        steady = connections == len(listed)
        return {
            "devices": len(listed),
            "passed": lossless and steady and slack["min"] >= MARGIN_MS * 1000,
            "chunks": heard["chunks"],
            "missing": heard["missing"],
            "skipped": skipped,
            "silent": heard["silent"],
            "connections": connections,
            "cpu_share": round((cpu_after - cpu_before) / (ended - at), 3),
            "devices_cpu_share": round(
                (heard["cpu_s"] - before["cpu_s"]) / (heard["at_s"] - before["at_s"]), 3
            ),
            "chunk_lateness_ms": _lateness(slack, options.lead_ms),
            "tick_late_max_us": status["sessions"][-1]["tick_late_max_us"],
            "clock_hold_us": heard["clock_hold_us"],
            "clock_unanswered": heard["clock_asked"] - heard["clock_answers"],
        }


def _devices(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"stand-in-{number}",
            "address": "127.78.0.1",
            "port": _FIRST_PORT + number,
            "channels": 2 - number % 2,  # every other one is sent mono
        }
        for number in range(count)
    ]


def _lateness(slack: dict[str, int | None], lead_ms: int) -> dict[str, float | None]:
    """How long after a chunk was due (play time less lead) it arrived; negative: before."""

    def late(key: str) -> float | None:
        value = slack[key]
        return None if value is None else round(lead_ms - value / 1000, 2)

    return {"p50": late("p50"), "p99": late("p1"), "max": late("min")}


def _line(sinks: subprocess.Popen[bytes], order: bytes | None) -> dict[str, Any]:
    assert sinks.stdin is not None
    assert sinks.stdout is not None
    if order:
        sinks.stdin.write(order)
        sinks.stdin.flush()
    line = sinks.stdout.readline()
    if not line:
        raise BenchError("the stand-in devices have ended; is another bench running?")
    return json.loads(line)


def _cpu_seconds(pid: int) -> float:
    """Processor time so far of a process and its children, by proc(5)."""
    total = 0.0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in [str(pid), *children]:
        fields = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def summary(result: Mapping[str, Any]) -> str:
    """The figures for a person."""
    lateness = result["chunk_lateness_ms"]
    tried: Sequence[dict[str, Any]] = result["trials"]
    late = "  ".join(f"{key} {value}" for key, value in lateness.items())
    lines = [
        f"one core feeds {result['devices_per_core']} devices",
        f"  {result['codec']}, lead {result['lead_ms']} ms, processor {result['cpu_share']:.0%}",
        f"  chunks after they were due, ms  {late}",
        f"  tried {', '.join(str(trial['devices']) for trial in tried)}",
    ]
    return "\n".join(lines)
