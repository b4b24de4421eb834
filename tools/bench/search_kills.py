"""`python -m tools.bench.search_kills`: SIGKILL at random moments while a process writes.

After each kill the application is opened again and held against what was acknowledged: a write
that is missing is lost, one that is there more often than once was applied twice. Both must be 0.
Some kills come while the process is still recovering from the last one.

It is the process that is killed, not the machine: what the kernel had, it still writes.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

import numpy as np

from tools.bench import results
from tools.bench.command import command
from tools.bench.search_writer import MOVER, Held, write
from tools.demo.arguments import Parser, count
from tools.measure.figures import distribution

# Of the kills, so many hit while the process opens and recovers.
_EARLY: Final = 0.25
_EARLY_S: Final = 0.15
_LATE_S: Final = 0.6
_PATIENCE_S: Final = 120.0


class KillsError(RuntimeError):
    """The bench can't go on."""


@dataclass
class Tally:
    """What was found so far."""

    acknowledged: dict[str, int] = field(default_factory=dict[str, int])
    lost: int = 0
    twice: int = 0
    unanswered: int = 0  # writes that were kept though the answer was cut off
    faults: list[str] = field(default_factory=list[str])
    recoveries_ms: list[float] = field(default_factory=list[float])

    def check(self, held: Held) -> None:
        """Hold what is there against what was acknowledged."""
        self.recoveries_ms.append(held.recovery_ms)
        for name, numbers in held.lists.items():
            acknowledged = self.acknowledged.get(name, 0)
            self.lost += len(set(range(1, acknowledged + 1)) - set(numbers))
            self.twice += len(numbers) - len(set(numbers))
            self.unanswered += max(numbers, default=0) > acknowledged
            if numbers != sorted(numbers) or max(numbers, default=0) > acknowledged + 1:
                self.faults.append(f"{name}: {numbers[-5:]} after {acknowledged}")
            if held.counts[name] != len(numbers):
                self.faults.append(f"{name}: counted {held.counts[name]} of {len(numbers)}")
        done = self.acknowledged.get(MOVER, 0)
        hops, counted = held.hops
        possible = {(n // 2, (n + 1) // 2) for n in (done, done + 1)}
        if (hops, counted) not in possible and done:
            self.faults.append(f"moved {hops} times, counted {counted}, after {done} operations")
        if not held.replica:
            self.faults.append("the replica differs from its primary")
        if held.failures:
            self.faults.append(f"{held.failures} operations could not be applied")


def main(arguments: Sequence[str]) -> int:
    """The command; returns the exit status: 2 if it can't be run as asked."""
    parser = Parser(prog="python -m tools.bench.search_kills", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON line")
    parser.add_argument("--kills", type=count, default=200, help="how many (default: 200)")
    parser.add_argument("--writers", type=count, default=4, help="threads (default: 4)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: 1)")
    return command(
        "search_kills", parser, arguments, lambda o: run(**o), _summary, (KillsError, OSError)
    )


def run(kills: int, writers: int, seed: int, folder: Path | None = None) -> dict[str, Any]:
    """Kill so many times; returns the figures. Raises KillsError."""
    rng = random.Random(seed)
    workdir = folder or results.workdir("search-kills")
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tools.bench.search_writer"])
    tally = Tally()
    began = time.monotonic()
    try:
        for number in range(kills + 1):
            ours, theirs = processes.Pipe(duplex=False)
            process = processes.Process(
                target=write, args=(workdir / "app", writers, dict(tally.acknowledged), theirs)
            )
            process.start()
            theirs.close()
            early = rng.random() < _EARLY and 0 < number < kills
            after_s = rng.uniform(0, _EARLY_S if early else _LATE_S)
            _watch(process, ours, tally, after_s, early)
    finally:
        if folder is None:
            shutil.rmtree(workdir, ignore_errors=True)
    return {
        "bench": "search_kills",
        "seed": seed,
        "kills": kills,
        "writers": writers,
        "acknowledged": sum(tally.acknowledged.values()),
        "lost": tally.lost,
        "applied_twice": tally.twice,
        "kept_unanswered": tally.unanswered,
        "faults": tally.faults,
        "checked": len(tally.recoveries_ms),
        "recovery_ms": distribution(np.array(tally.recoveries_ms)),
        "took_s": round(time.monotonic() - began, 1),
    }


def _watch(
    process: ForkServerProcess, ours: Connection, tally: Tally, after_s: float, early: bool
) -> None:
    """Take in what a process tells, kill it, and take in what it had still told."""
    until = time.monotonic() + after_s if early else None
    gives_up = time.monotonic() + _PATIENCE_S
    while until is None or time.monotonic() < until:
        wait_s = (gives_up if until is None else until) - time.monotonic()
        if not ours.poll(max(0.0, wait_s)):
            if until is None:
                process.kill()
                raise KillsError("the writer did not come back within two minutes")
            break
        if not _take(ours, tally):
            raise KillsError(f"the writer ended by itself: exit status {process.exitcode}")
        if until is None:
            until = time.monotonic() + after_s
    process.kill()
    process.join()
    while _take(ours, tally):
        pass
    ours.close()


def _take(ours: Connection, tally: Tally) -> bool:
    """One message; False once there are no more."""
    try:
        told = ours.recv()
    except (EOFError, OSError):  # cut off in the middle, it was not told
        return False
    if isinstance(told, Held):
        tally.check(told)
    else:
        name, number = told
        tally.acknowledged[name] = number
    return True


def _summary(result: Mapping[str, Any]) -> str:
    recovery = result["recovery_ms"]
    told = (
        f"{result['kills']} kills, {result['acknowledged']} writes acknowledged"
        f" ({result['kept_unanswered']} more were kept, and not answered)\n"
        f"  lost: {result['lost']}   applied twice: {result['applied_twice']}"
        f"   other faults: {len(result['faults'])}\n"
        f"  all visible after a start: p50 {recovery['p50']} ms, max {recovery['max']} ms"
    )
    return "\n".join([told, *result["faults"]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
