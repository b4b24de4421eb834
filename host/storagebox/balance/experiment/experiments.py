"""The experiments, by name, each with its question. `docs/balance.md` tells their story."""

from __future__ import annotations

from storagebox.balance.experiment.choosing import ARC, POLICIES, SIZES, SKEW
from storagebox.balance.experiment.experiment import Experiment
from storagebox.balance.experiment.neighbours import ANTAGONISTS
from storagebox.balance.experiment.reality import SOCKETS
from storagebox.balance.experiment.subsets import CACHE, CONNECTIONS
from storagebox.balance.experiment.troubles import CHURN, COLD, DYING, PROXY, SLOW, STALL

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
