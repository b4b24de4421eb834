"""The experiments, by name, each with its question. `docs/balance.md` tells their story."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt
from random import Random

from storagebox.balance.experiment import contenders as by
from storagebox.balance.experiment.cache import Caching
from storagebox.balance.experiment.connections import Connections
from storagebox.balance.experiment.experiment import Case, Column, Experiment, Simulated
from storagebox.balance.experiment.pace import STEADY, Pace, contended, stalling
from storagebox.balance.experiment.real import Real
from storagebox.balance.experiment.scenario import Change, Event, Scenario
from storagebox.balance.experiment.servers import Conduct
from storagebox.balance.subset.deterministic import DeterministicSubset
from storagebox.balance.subset.random_subset import RandomSubset
from storagebox.balance.subset.rendezvous import Rendezvous
from storagebox.balance.subset.ringsteady import Ringsteady
from storagebox.balance.subset.rocksteadier import Rocksteadier
from storagebox.balance.subset.window import IndexWindow

_EVENNESS = (Column("max_over_mean", "max/mean"), Column("cv", "CV", ".3f"))
_LATENCY = (
    Column("p50", "p50", ".2f"),
    Column("p99", "p99", ".1f", spread=True),
    Column("p999", "p99.9", ".1f"),
)
_ENDS = (
    Column("failed", "failed", ",.0f"),
    Column("late", "late", ",.0f"),
    Column("tries", "tries", ".3f"),
)

# 30 clients, 12 servers of 4 workers, 75 % of what they can do; the mean service is the unit.
_EQUAL = Scenario(clients=30, speeds=(1.0,) * 12)
_UNEQUAL = replace(_EQUAL, speeds=(1.0,) * 8 + (0.5,) * 4)
_SUBSET = 3
_PERIOD_S = 20 * _EQUAL.service_s

_TESTS = (
    by.random_subset(_SUBSET),
    by.fixed_window(_SUBSET),
    by.sliding_window(_SUBSET, _PERIOD_S),
    by.ROUND_ROBIN,
)

ARC = Experiment(
    "arc",
    "Which servers should a client use: a few at random, a window of them, or all?",
    (
        Case("equal servers", Simulated(_EQUAL, _TESTS)),
        Case(
            "4 of 12 servers half as fast",
            Simulated(_UNEQUAL, (by.ROUND_ROBIN, by.SMOOTH)),
        ),
    ),
    (
        *_EVENNESS,
        *_LATENCY,
        Column("late", "late", ",.0f"),
        Column("connections", "conns", ",.0f"),
    ),
)

_ALL = (
    by.random_subset(_SUBSET),
    by.sliding_window(_SUBSET, _PERIOD_S),
    by.deterministic_subset(_SUBSET),
    by.rocksteadier(_SUBSET),
    by.RANDOM,
    by.ROUND_ROBIN,
    by.SMOOTH,
    by.STRIDE,
    by.LEAST_REQUEST,
    by.TWO_IN_FLIGHT,
    by.two_peak_ewma(_PERIOD_S),
    by.TWO_REPORTED,
    by.REPORTED_WEIGHTS,
    by.PREQUAL,
    by.LEAST_WAIT,
    by.LEAST_WAIT_PROBING,
)

POLICIES = Experiment(
    "policies",
    "How do all policies do, on equal and on unequal servers?",
    (
        Case("equal servers", Simulated(_EQUAL, _ALL)),
        Case("4 of 12 servers half as fast", Simulated(_UNEQUAL, _ALL)),
    ),
    (*_EVENNESS, *_LATENCY, Column("late", "late", ",.0f")),
)

_FEW = (
    by.ROUND_ROBIN,
    by.SMOOTH,
    by.TWO_IN_FLIGHT,
    by.TWO_REPORTED,
    by.LEAST_WAIT,
    by.LEAST_WAIT_PROBING,
)


def _sized(clients: int, servers: int, *, slow: int = 3) -> Simulated:
    """Every `slow`-th server is half as fast."""
    speeds = tuple(0.5 if at % slow == 0 else 1.0 for at in range(servers))
    return Simulated(replace(_EQUAL, clients=clients, speeds=speeds), _FEW)


SIZES = Experiment(
    "sizes",
    "Does it hold for few and for many clients and servers, a third of them half as fast?",
    tuple(
        Case(f"{clients} clients, {servers} servers", _sized(clients, servers))
        for clients, servers in ((6, 3), (30, 12), (300, 12), (100, 100), (10, 100))
    ),
    (*_EVENNESS, *_LATENCY),
    requests=12_000,
    full_requests=20_000,
)

_ZIPF = tuple(1 / rank for rank in range(1, 31))

SKEW = Experiment(
    "skew",
    "What if some clients send far more than others?",
    (
        Case(
            "client k sends 1/k as much as the first",
            Simulated(
                replace(_EQUAL, shares=_ZIPF),
                (*_TESTS, by.TWO_IN_FLIGHT, by.TWO_REPORTED),
            ),
        ),
    ),
    (*_EVENNESS, *_LATENCY, Column("late", "late", ",.0f")),
    full_requests=30_000,
)


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
            Simulated(replace(_EQUAL, load=0.6, paces=_one_slow), _PATIENT),
        ),
    ),
    (*_LATENCY, Column("late", "late", ",.0f")),
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
                replace(_EQUAL, load=0.7, paces=_cold, events=(Event(0.5, 0, Change.JOINS),)),
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
    (*_LATENCY, Column("late", "late", ",.0f")),
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
_MORTAL = replace(_EQUAL, load=0.6, enforced=True, hop_s=0.0005)

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
    (*_ENDS, *_LATENCY),
    requests=60_000,
    panels=("failed", "p99"),
)

_THREE = replace(
    _EQUAL, clients=10, speeds=(1.0,) * 3, load=0.5, enforced=True, hop_s=0.0005, requests=36_000
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
    by.hedging(by.LEAST_WAIT),
)

STALL = Experiment(
    "stall",
    "What if one of three servers stands still for 2 s of every 10 s?",
    (
        Case("nobody stalls", Simulated(_THREE, _STALLED)),
        Case("one of three stalls", Simulated(replace(_THREE, paces=_one_stalls), _STALLED)),
    ),
    (*_ENDS, *_LATENCY),
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
    (*_ENDS, *_LATENCY),
    requests=60_000,
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
        *_ENDS,
        Column("outage_s", "outage, s", ".2f"),
        Column("p50", "p50"),
        Column("p99", "p99", ".1f"),
    ),
    requests=60_000,
    panels=("failed", "outage_s"),
)

_SHARED_SERVERS = 100


def _neighbours(random: Random, run_s: float) -> list[Pace]:
    """Each machine is half of the time at the server's allocation, and else at thrice that."""
    return [contended(random, run_s + 60.0, 60.0, 3.0) for _ in range(_SHARED_SERVERS)]


_SHARED = Scenario(
    clients=100,
    speeds=(1.0,) * _SHARED_SERVERS,
    workers=1,
    service_s=0.16,
    sigma=sqrt(log(2.0)),  # standard deviation = mean
    deadline_s=5.0,
    enforced=True,
    hop_s=0.0002,
    report_s=1.0,
    paces=_neighbours,
)
LOADS = (0.75, 0.83, 0.93, 1.03, 1.14, 1.27, 1.41, 1.57, 1.74)

ANTAGONISTS = Experiment(
    "antagonists",
    "How much more than their allocation can servers do whose neighbours come and go?",
    tuple(
        Case(
            f"{load:.2f} of the allocation",
            Simulated(
                replace(_SHARED, load=load),
                (by.REPORTED_WEIGHTS, by.TWO_IN_FLIGHT, by.PREQUAL, by.LEAST_WAIT_PROBING),
            ),
        )
        for load in LOADS
    ),
    (Column("late", "late", ",.0f"), *_LATENCY, Column("probes", "probes")),
    requests=10_000,
    full_requests=30_000,
    panels=("p999", "late"),
    ramp=LOADS,
)


def _caching(entries: int) -> Case:
    return Case(
        f"{entries:,} entries a server",
        Caching(
            (
                by.random_subset(_SUBSET),
                by.deterministic_subset(_SUBSET),
                by.ROUND_ROBIN,
                by.TWO_IN_FLIGHT,
                by.KEY_HASH,
            ),
            entries=entries,
        ),
    )


CACHE = Experiment(
    "cache",
    "How often does a server's cache help, if every client uses every server?",
    tuple(_caching(entries) for entries in (1500, 3000, 6000)),
    (Column("hits", "cache hits", ".3f", spread=True), Column("max_over_mean", "max/mean")),
    requests=100_000,
    full_requests=400_000,
    panels=("hits", "max_over_mean"),
)

_SUBSETS = (
    ("random subset", lambda size, _client, random: RandomSubset(size, random.getrandbits(64))),
    ("rendezvous", lambda size, _client, random: Rendezvous(size, random.getrandbits(64))),
    ("index window", lambda size, client, _random: IndexWindow(size, client)),
    ("SRE", lambda size, client, _random: DeterministicSubset(size, client)),
    ("Ringsteady", lambda size, client, _random: Ringsteady(size, client)),
    ("Rocksteadier", lambda size, client, _random: Rocksteadier(size, client)),
    ("full mesh", lambda _size, _client, _random: RandomSubset(1 << 20, 0)),
)

CONNECTIONS = Experiment(
    "connections",
    "How even are subsets, and what does a server cost them that comes or goes?",
    tuple(
        Case(
            f"{clients} clients of {size} connections, {servers} servers",
            Connections(clients, servers, size, _SUBSETS),
        )
        for clients, servers, size in (
            (6, 3, 2),
            (20, 10, 3),
            (30, 12, 3),
            (37, 45, 8),
            (100, 50, 10),
            (100, 100, 5),
            (300, 300, 30),
        )
    ),
    (
        Column("connections", "conns", ",.0f"),
        Column("least", "least"),
        Column("most", "most"),
        Column("cv", "CV", ".3f"),
        Column("join", "join", ".3f"),
        Column("leave", "leave", ".3f"),
        Column("at_most", "at most", ".0f"),
    ),
    panels=("most", "leave"),
)

_REAL = Scenario(
    clients=8,
    speeds=(1.0,) * 4 + (0.5,) * 2,
    workers=2,
    load=0.7,
    service_s=0.05,
    requests=1000,
)
_ON_SOCKETS = (by.ROUND_ROBIN, by.SMOOTH, by.TWO_IN_FLIGHT, by.TWO_REPORTED, by.LEAST_WAIT)
_CHOOSING = (by.retrying(by.ROUND_ROBIN), by.retrying(by.TWO_IN_FLIGHT))

SOCKETS = Experiment(
    "sockets",
    "Does the simulation tell what happens on real sockets?",
    (
        Case("4 servers, and 2 half as fast", Real(_REAL, _ON_SOCKETS)),
        Case(
            "a proxy before 6 equal servers is killed",
            Real(
                replace(_REAL, speeds=(1.0,) * 6, load=0.5),
                (by.proxied(by.ROUND_ROBIN), by.proxied(by.retrying(by.ROUND_ROBIN))),
                victim="proxy",
                compared=False,
            ),
        ),
        Case(
            "one of the 6 is killed, and clients choose",
            Real(
                replace(_REAL, speeds=(1.0,) * 6, load=0.5),
                _CHOOSING,
                victim="server",
                compared=False,
            ),
        ),
    ),
    (
        Column("max_over_mean", "max/mean"),
        Column("simulated_max_over_mean", "sim."),
        Column("p99", "p99", ".1f"),
        Column("simulated_p99", "sim.", ".1f"),
        Column("failed", "failed", ",.0f"),
        Column("outage_s", "outage, s"),
    ),
    requests=1000,
    full_requests=1000,
    alone=True,
)

EXPERIMENTS: dict[str, Experiment] = {
    each.name: each
    for each in (
        ARC,
        POLICIES,
        SIZES,
        SKEW,
        COLD,
        SLOW,
        DYING,
        STALL,
        CHURN,
        PROXY,
        ANTAGONISTS,
        CACHE,
        CONNECTIONS,
        SOCKETS,
    )
}
