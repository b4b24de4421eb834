"""What experiments have in common unless they say otherwise: servers, clients, figures."""

from __future__ import annotations

from dataclasses import replace

from storagebox.balance.experiment.experiment import Column
from storagebox.balance.experiment.scenario import Scenario

EVENNESS = (Column("max_over_mean", "max/mean"), Column("cv", "CV", ".3f"))
LATENCY = (
    Column("p50", "p50", ".2f"),
    Column("p99", "p99", ".1f", spread=True),
    Column("p999", "p99.9", ".1f"),
)
ENDS = (
    Column("failed", "failed", ",.0f"),
    Column("late", "late", ",.0f"),
    Column("tries", "tries", ".3f"),
)

# 30 clients, 12 servers of 4 workers, 75 % of what they can do; the mean service is the unit.
EQUAL = Scenario(clients=30, speeds=(1.0,) * 12)
UNEQUAL = replace(EQUAL, speeds=(1.0,) * 8 + (0.5,) * 4)
SUBSET = 3
PERIOD_S = 20 * EQUAL.service_s
