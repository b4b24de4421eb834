"""Experiments with servers that fail, stall, are slow or restart, and with a proxy that does."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from storagebox.balance.experiment import contenders as by
from storagebox.balance.experiment.experiment import Case, Column, Experiment, Simulated
from storagebox.balance.experiment.pace import STEADY, Pace, stalling
from storagebox.balance.experiment.scenario import Change, Event
from storagebox.balance.experiment.servers import Conduct
from storagebox.balance.experiment.usual import ENDS, EQUAL, LATENCY


def _one_slow(_random: Random, run_s: float) -> list[Pace]:
    """One server at a tenth of its speed for the run's middle third."""
    slowed = Pace([(0.0, 1.0), (run_s / 3, 0.1), (2 * run_s / 3, 1.0)])
    return [slowed, *[STEADY] * 11]


_PATIENT = (by.ROUND_ROBIN, by.TWO_IN_FLIGHT, by.two_peak_ewma(10.0), by.TWO_REPORTED)

SLOW = Experiment(
    "slow",
    "What if one server becomes ten times slower for a third of the time?",
    (
        Case(
            "1 of 12 servers at a tenth of its speed",
            Simulated(replace(EQUAL, load=0.6, paces=_one_slow), _PATIENT),
        ),
    ),
    (*LATENCY, Column("late", "late", ",.0f")),
    panels=("p99", "late"),
    full_requests=30_000,
)


def _cold(_random: Random, run_s: float) -> list[Pace]:
    """One server that joins in the middle, five times slower at first."""
    joins_s = run_s / 2
    warming = [(joins_s + step * run_s / 40, 0.2 + 0.2 * step) for step in range(5)]
    return [Pace([(0.0, 0.2), *warming]), *[STEADY] * 11]


COLD = Experiment(
    "cold",
    "What if a server joins with cold caches, and takes a while to reach its speed?",
    (
        Case(
            "the 12th server joins, five times slower at first",
            Simulated(
                replace(EQUAL, load=0.7, paces=_cold, events=(Event(0.5, 0, Change.JOINS),)),
                (
                    by.at_once(by.ROUND_ROBIN),
                    by.ROUND_ROBIN,
                    by.at_once(by.TWO_IN_FLIGHT),
                    by.TWO_IN_FLIGHT,
                    by.at_once(by.TWO_REPORTED),
                    by.TWO_REPORTED,
                ),
            ),
        ),
    ),
    (*LATENCY, Column("late", "late", ",.0f")),
    panels=("p99", "late"),
    full_requests=30_000,
)

_DEAD_S = 5.0


def _dies(conduct: Conduct) -> tuple[Event, ...]:
    """One server, for five seconds."""
    return (Event(0.4, 0, conduct), Event(0.4, 0, Conduct.SERVES, _DEAD_S))


_SURVIVORS = (
    by.blind(by.ROUND_ROBIN),
    by.ROUND_ROBIN,
    by.retrying(by.ROUND_ROBIN),
    by.blind(by.TWO_IN_FLIGHT),
    by.retrying(by.TWO_IN_FLIGHT),
)
_MORTAL = replace(EQUAL, load=0.6, enforced=True, hop_s=0.0005)

DYING = Experiment(
    "dying",
    "What do clients notice when one of 12 servers dies for five seconds?",
    tuple(
        Case(label, Simulated(replace(_MORTAL, events=_dies(conduct)), _SURVIVORS))
        for label, conduct in (
            ("it refuses connections", Conduct.REFUSES),
            ("it answers nothing", Conduct.SILENT),
            ("it answers each request at once with an error", Conduct.FAILS),
        )
    ),
    (*ENDS, *LATENCY),
    requests=60_000,
    full_requests=60_000,
    panels=("failed", "p99"),
)

_THREE = replace(
    EQUAL, clients=10, speeds=(1.0,) * 3, load=0.5, enforced=True, hop_s=0.0005, requests=36_000
)


def _one_stalls(_random: Random, run_s: float) -> list[Pace]:
    """One server stands still for 2 s of every 10 s."""
    return [stalling(every_s=10.0, for_s=2.0, until_s=run_s, first_s=5.0), *[STEADY] * 2]


_STALLED = (
    by.ROUND_ROBIN,
    by.TWO_IN_FLIGHT,
    by.retrying(by.ROUND_ROBIN),
    by.retrying(by.TWO_IN_FLIGHT),
    by.hedging(by.ROUND_ROBIN),
    by.hedging(by.TWO_IN_FLIGHT),
    by.hedging(by.two_peak_ewma(10.0)),
    by.LEAST_WAIT,
    by.retrying(by.LEAST_WAIT),
    by.hedging(by.LEAST_WAIT),
    by.hedging(by.LEAST_WAIT_PROBING),
)

STALL = Experiment(
    "stall",
    "What if one of three servers stands still for 2 s of every 10 s?",
    (
        Case("nobody stalls", Simulated(_THREE, _STALLED)),
        Case("one of three stalls", Simulated(replace(_THREE, paces=_one_stalls), _STALLED)),
    ),
    (*ENDS, *LATENCY),
    requests=36_000,
    full_requests=72_000,
    panels=("p999", "late"),
)


def _rolling(*, drained: bool) -> tuple[Event, ...]:
    """Each server restarts in its turn; if drained, it leaves the registry before."""
    events: list[Event] = []
    for server in range(12):
        at = 0.22 + 0.06 * server
        if drained:
            events.append(Event(at, server, Change.DRAINS, -0.3))
            events.append(Event(at, server, Change.JOINS, 0.5))
        events += [Event(at, server, Conduct.REFUSES), Event(at, server, Conduct.SERVES, 0.4)]
    return tuple(events)


_RESTARTED = (
    by.ROUND_ROBIN,
    by.retrying(by.ROUND_ROBIN),
    by.retrying(by.at_once(by.ROUND_ROBIN)),
    by.retrying(by.TWO_IN_FLIGHT),
)

CHURN = Experiment(
    "churn",
    "What does a rolling restart of all servers cost, with and without draining them first?",
    (
        Case(
            "each restarts without a word",
            Simulated(replace(_MORTAL, events=_rolling(drained=False)), _RESTARTED),
        ),
        Case(
            "each drains 0.3 s before, clients hear within 0.1 s",
            Simulated(
                replace(_MORTAL, events=_rolling(drained=True), discovery_s=0.1), _RESTARTED
            ),
        ),
    ),
    (*ENDS, *LATENCY),
    requests=60_000,
    full_requests=60_000,
    panels=("failed", "p99"),
)

_PROXY = 12  # its number: after the servers'

PROXY = Experiment(
    "proxy",
    "What is lost while a proxy restarts, and what while a server does, if clients choose?",
    (
        Case(
            "the proxy is away for 5 s",
            Simulated(
                replace(
                    _MORTAL,
                    events=(
                        Event(0.4, _PROXY, Conduct.REFUSES),
                        Event(0.4, _PROXY, Conduct.SERVES, _DEAD_S),
                    ),
                ),
                (by.proxied(by.ROUND_ROBIN), by.proxied(by.retrying(by.ROUND_ROBIN))),
            ),
        ),
        Case(
            "a server is away for 5 s",
            Simulated(
                replace(_MORTAL, events=_dies(Conduct.REFUSES)),
                (
                    by.proxied(by.ROUND_ROBIN),
                    by.ROUND_ROBIN,
                    by.retrying(by.ROUND_ROBIN),
                    by.retrying(by.TWO_IN_FLIGHT),
                ),
            ),
        ),
    ),
    (
        *ENDS,
        Column("outage_s", "outage, s", ".2f"),
        Column("p50", "p50"),
        Column("p99", "p99", ".1f"),
    ),
    requests=60_000,
    full_requests=60_000,
    panels=("failed", "outage_s"),
)
