"""Experiments with servers that are well: whom to use, by which policy, for how many."""

from __future__ import annotations

from dataclasses import replace

from storagebox.balance.experiment import contenders as by
from storagebox.balance.experiment.experiment import Case, Column, Experiment, Simulated
from storagebox.balance.experiment.usual import EQUAL, EVENNESS, LATENCY, PERIOD_S, SUBSET, UNEQUAL

TESTS = (
    by.random_subset(SUBSET),
    by.fixed_window(SUBSET),
    by.sliding_window(SUBSET, PERIOD_S),
    by.ROUND_ROBIN,
)

ARC = Experiment(
    "arc",
    "Which servers should a client use: a few at random, a window of them, or all?",
    (
        Case("equal servers", Simulated(EQUAL, TESTS)),
        Case(
            "4 of 12 servers half as fast",
            Simulated(UNEQUAL, (by.ROUND_ROBIN, by.SMOOTH)),
        ),
    ),
    (
        *EVENNESS,
        *LATENCY,
        Column("late", "late", ",.0f"),
        Column("connections", "conns", ",.0f"),
    ),
)

_ALL = (
    by.random_subset(SUBSET),
    by.sliding_window(SUBSET, PERIOD_S),
    by.deterministic_subset(SUBSET),
    by.rocksteadier(SUBSET),
    by.RANDOM,
    by.ROUND_ROBIN,
    by.SMOOTH,
    by.STRIDE,
    by.LEAST_REQUEST,
    by.TWO_IN_FLIGHT,
    by.two_peak_ewma(PERIOD_S),
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
        Case("equal servers", Simulated(EQUAL, _ALL)),
        Case("4 of 12 servers half as fast", Simulated(UNEQUAL, _ALL)),
    ),
    (*EVENNESS, *LATENCY, Column("late", "late", ",.0f")),
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
    return Simulated(replace(EQUAL, clients=clients, speeds=speeds), _FEW)


SIZES = Experiment(
    "sizes",
    "Does it hold for few and for many clients and servers, a third of them half as fast?",
    tuple(
        Case(f"{clients} clients, {servers} servers", _sized(clients, servers))
        for clients, servers in ((6, 3), (30, 12), (300, 12), (100, 100), (10, 100))
    ),
    (*EVENNESS, *LATENCY),
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
                replace(EQUAL, shares=_ZIPF),
                (*TESTS, by.TWO_IN_FLIGHT, by.TWO_REPORTED),
            ),
        ),
    ),
    (*EVENNESS, *LATENCY, Column("late", "late", ",.0f")),
    full_requests=30_000,
)
