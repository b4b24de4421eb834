"""The experiment of the Prequal paper: servers whose machines are shared with others."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt
from random import Random

from storagebox.balance.experiment import contenders as by
from storagebox.balance.experiment.experiment import Case, Column, Experiment, Simulated
from storagebox.balance.experiment.pace import Pace, contended
from storagebox.balance.experiment.scenario import Scenario
from storagebox.balance.experiment.usual import LATENCY

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
    (Column("late", "late", ",.0f"), *LATENCY, Column("probes", "probes")),
    requests=10_000,
    full_requests=30_000,
    panels=("p999", "late"),
    ramp=LOADS,
)
