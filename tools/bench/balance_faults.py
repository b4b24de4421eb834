"""`phantom bench balance-faults`: three real servers under load, one of which fails.

Two programs, one of threads and one of tasks, ask three servers steadily through the balanced
transports. One server fails for a while and comes back. For each way to fail: how many requests
failed, how soon the server was no longer chosen, how soon it was trusted again, and what it cost.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tools.bench import balance_overhead
from tools.bench.balance_server import Server
from tools.bench.command import command
from tools.demo.arguments import Parser, count, seconds

KINDS: Final = ("sync", "async")
_BEGIN_S: Final = 2.0  # until the clients' processes run
_LEAD_S: Final = 20.0  # of load before the fault: how slow the first requests were is forgotten
_BACK_S: Final = 1.0  # windows in which its share of the requests is looked at
_WHOLE: Final = 0.25  # of them it has again; a third is even


def _toggling(seconds_: float, off: Callable[[], None], on: Callable[[], None]) -> None:
    until_s = time.monotonic() + seconds_
    while time.monotonic() < until_s:
        off()
        time.sleep(1.0)
        on()
        time.sleep(1.0)


def _told(mode: str) -> Callable[[Server, float], None]:
    def fail(server: Server, seconds_: float) -> None:
        server.tell(mode)
        time.sleep(seconds_)
        server.tell("well")

    return fail


def _kill(server: Server, seconds_: float) -> None:
    server.signal(signal.SIGKILL)
    time.sleep(seconds_)
    server.restart()


def _stop(server: Server, seconds_: float) -> None:
    server.signal(signal.SIGSTOP)
    time.sleep(seconds_)
    server.signal(signal.SIGCONT)


def _flap(server: Server, seconds_: float) -> None:
    _toggling(seconds_, lambda: server.tell("down"), lambda: server.tell("well"))


def _stall(server: Server, seconds_: float) -> None:
    _toggling(
        seconds_,
        lambda: server.signal(signal.SIGSTOP),
        lambda: server.signal(signal.SIGCONT),
    )


FAULTS: Final[Mapping[str, Callable[[Server, float], None]]] = {
    "none": lambda _, seconds_: time.sleep(seconds_),
    "kill": _kill,
    "stop": _stop,
    "blackhole": _told("blackhole"),
    "reset": _told("reset"),
    "slow": _told("slow"),
    "errors-500": _told("errors 500"),
    "errors-503": _told("errors 503"),
    "flap": _flap,
    "stall": _stall,
}
"""What may happen to a server. It is well again when the call returns."""


@dataclass(frozen=True)
class Options:
    """What to run."""

    faults: Sequence[str]
    rate: float
    fault_s: float
    after_s: float
    runs: int
    seed: int
    overhead: bool


@contextmanager
def _servers(number: int) -> Generator[list[Server]]:
    servers = [Server() for _ in range(number)]
    try:
        yield servers
    finally:
        for server in servers:
            server.close()


def _client(kind: str, options: Options, begin_s: float, seed: int, ports: str) -> dict[str, Any]:
    lasts_s = _LEAD_S + options.fault_s + options.after_s
    numbers = [options.rate, begin_s, lasts_s, seed]
    told = subprocess.run(
        [sys.executable, "-m", "tools.bench.balance_load", kind, *map(str, numbers), ports],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(told.stdout)


def _one(fault: str, options: Options, run: int) -> dict[str, Seen]:
    """One run of one fault with both programs."""
    seed = options.seed + run
    with _servers(3) as servers, ThreadPoolExecutor(len(KINDS)) as clients:
        begin_s = time.monotonic() + _BEGIN_S
        ports = ",".join(str(server.port) for server in servers)
        seen = {
            kind: clients.submit(_client, kind, options, begin_s, seed + 1000 * number, ports)
            for number, kind in enumerate(KINDS)
        }
        time.sleep(max(0.0, begin_s + _LEAD_S - time.monotonic()))
        victim = servers[run % len(servers)]
        failed_s = time.monotonic()
        FAULTS[fault](victim, options.fault_s)
        back_s = time.monotonic()
        return {
            kind: Seen(told.result(), f"127.0.0.1:{victim.port}", failed_s, back_s)
            for kind, told in seen.items()
        }


@dataclass(frozen=True)
class Seen:
    """What one program saw of one run."""

    told: Mapping[str, Any]
    victim: str
    failed_s: float
    back_s: float

    def failures(self, method: str) -> list[str]:
        """Why requests of this method failed."""
        return [
            each["failed"]
            for each in self.told["requests"]
            if each["method"] == method and each["failed"]
        ]

    def took_s(self) -> list[float]:
        """What requests took that were due while the server failed, and that may be repeated."""
        return [
            each["took_s"]
            for each in self.told["requests"]
            if each["method"] == "GET"
            and self.failed_s <= each["due_s"] <= self.back_s
            and not each["failed"]
        ]

    def chosen(self, since_s: float, until_s: float, *, trials: bool = False) -> list[float]:
        """When the victim was chosen, trials on probation apart."""
        return [
            at_s
            for at_s, id_, reason in self.told["picks"]
            if id_ == self.victim
            and since_s <= at_s < until_s
            and (reason == "probation") == trials
        ]

    def left_alone_s(self) -> float:
        """How long after it failed it was chosen for the last time."""
        return max(self.chosen(self.failed_s, self.back_s), default=self.failed_s) - self.failed_s

    def trusted_s(self) -> float | None:
        """How long after it was back it was chosen again."""
        chosen = self.chosen(self.back_s, np.inf)
        return chosen[0] - self.back_s if chosen else None

    def whole_s(self) -> float | None:
        """How long after it was back it had about its share of the requests again."""
        ends_s = max(each[0] for each in self.told["picks"])
        at_s = self.back_s
        while at_s + _BACK_S <= ends_s:
            within = [p for p in self.told["picks"] if at_s <= p[0] < at_s + _BACK_S]
            if within and sum(p[1] == self.victim for p in within) / len(within) >= _WHOLE:
                return at_s - self.back_s
            at_s += _BACK_S / 4
        return None


def _figures(runs: Sequence[Seen]) -> dict[str, Any]:
    """All runs of one fault and one program together."""
    sent = sum(len(run.told["requests"]) for run in runs)
    took_ms = np.concatenate([run.took_s() for run in runs]) * 1000
    p50, p99, p999 = np.percentile(took_ms, (50, 99, 99.9))
    alone = [run.left_alone_s() for run in runs]
    during = [p for run in runs for p in run.told["picks"] if run.failed_s <= p[0] < run.back_s]
    chosen = sum(len(run.chosen(run.failed_s, run.back_s)) for run in runs)
    posts = [why for run in runs for why in run.failures("POST")]
    gets = [why for run in runs for why in run.failures("GET")]
    return {
        "requests": sent,
        "failed_safe": len(gets),
        "failed_posts": len(posts),
        "why": sorted({*gets, *posts})[:5],
        "p50_ms": round(float(p50), 2),
        "p99_ms": round(float(p99), 2),
        "p999_ms": round(float(p999), 2),
        "chosen_for_s": _spread(alone),
        "chosen_while_failing": chosen / len(runs),
        "chosen_share": round(chosen / max(1, len(during)), 4),
        "trials_while_failing": sum(
            len(run.chosen(run.failed_s, run.back_s, trials=True)) for run in runs
        )
        / len(runs),
        "trusted_after_s": _spread([run.trusted_s() for run in runs]),
        "whole_after_s": _spread([run.whole_s() for run in runs]),
        "hedges_share": round(sum(run.told["hedges"] for run in runs) / sent, 4),
        "retries_share": round(sum(run.told["retries"] for run in runs) / sent, 4),
    }


def _spread(values: Sequence[float | None]) -> list[float] | None:
    """The least and the greatest; nothing if one never came about."""
    known = [value for value in values if value is not None]
    return [round(min(known), 2), round(max(known), 2)] if len(known) == len(values) else None


def run(options: Options) -> dict[str, Any]:
    """Every fault with both programs, and what the transports cost."""
    figures: dict[str, Any] = {}
    for fault in options.faults:
        seen = [_one(fault, options, number) for number in range(options.runs)]
        figures[fault] = {kind: _figures([each[kind] for each in seen]) for kind in KINDS}
    return {
        "bench": "balance-faults",
        "servers": 3,
        "requests_per_s": options.rate * len(KINDS),
        "fault_s": options.fault_s,
        "runs": options.runs,
        "seed": options.seed,
        "faults": figures,
        "overhead": balance_overhead.measured() if options.overhead else {},
    }


def summary(result: Mapping[str, Any]) -> str:
    """The figures for a person."""
    head = (
        f"{'':12}{'':6}{'requests':>9}{'failed':>7}{'POSTs':>6}{'p50':>7}{'p99':>8}{'p99.9':>8}"
        f"{'chosen for':>14}{'times':>7}{'trusted after':>15}{'whole after':>14}"
        f"{'hedges':>8}{'retries':>8}"
    )
    lines = [head]
    for fault, kinds in result["faults"].items():
        for kind, got in kinds.items():
            lines.append(
                f"{fault:12}{kind:6}{got['requests']:9}{got['failed_safe']:7}{got['failed_posts']:6}"
                f"{got['p50_ms']:7.1f}{got['p99_ms']:8.1f}{got['p999_ms']:8.1f}"
                f"{_range(got['chosen_for_s']):>14}{got['chosen_while_failing']:7.0f}"
                f"{_range(got['trusted_after_s']):>15}{_range(got['whole_after_s']):>14}"
                f"{got['hedges_share']:8.2%}{got['retries_share']:8.2%}"
            )
    for kind, cost in result["overhead"].items():
        lines.append(
            f"overhead of the {kind} transport: {cost['median']:+.1%}"
            f" ({cost['least']:+.1%} to {cost['most']:+.1%} of {cost['rounds']} rounds),"
            f" {cost['processor']:+.1%} of processor time"
        )
    return "\n".join(lines)


def _range(values: Sequence[float] | None) -> str:
    return "never" if values is None else f"{values[0]:.2f}-{values[1]:.2f} s"


def _parser() -> Parser:
    parser = Parser(prog="phantom bench balance-faults", description=__doc__)
    add = parser.add_argument
    add("--json", action="store_true", help="print nothing but the JSON line")
    add("--faults", nargs="+", default=list(FAULTS), choices=list(FAULTS), help="default: all")
    add("--rate", type=count, default=100, help="requests/s of each program (default: 100)")
    add("--fault-s", type=seconds, default=8.0, help="how long it fails (default: %(default)g)")
    add("--after-s", type=seconds, default=12.0, help="of load after (default: %(default)g)")
    add("--runs", type=count, default=2, help="of each fault (default: 2)")
    add("--seed", type=int, default=1, help="of arrivals and choices (default: 1)")
    add(
        "--no-overhead",
        dest="overhead",
        action="store_false",
        help="don't measure what a transport costs, besides",
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit status."""
    return command(
        "balance-faults",
        _parser(),
        arguments,
        lambda chosen: run(Options(**chosen)),
        summary,
        (RuntimeError, OSError),
    )
