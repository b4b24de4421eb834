"""The experiment that holds the simulation against real sockets."""

from __future__ import annotations

from dataclasses import replace

from storagebox.balance.experiment import contenders as by
from storagebox.balance.experiment.experiment import Case, Column, Experiment
from storagebox.balance.experiment.real import Real
from storagebox.balance.experiment.scenario import Scenario

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
    requests=500,
    full_requests=500,
    alone=True,
)
