"""What a run left behind: how each request ended, and what each server was given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from storagebox.balance.experiment.arrivals import Floats


class End(IntEnum):
    """How a request ended, for who sent it."""

    LOST = 0
    """It never did: a fault of the simulator."""
    ANSWERED = 1
    DEADLINE = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class Trace:
    """One run.

    Args:
        born_s: when each request came, in order.
        latency_s: from then to its end, whichever that was.
        ends: `End` of each.
        assigned_s: work given to each server once the run had warmed up.
        capacity_s: work that each server could have done meanwhile, with all its workers.
        connections: pairs of a client and a server, or a proxy, that met.
        tries: attempts at servers in the whole run; more than the requests if some were repeated.
        probes: sent in the whole run.
        warm_s: what came before isn't counted.
    """

    born_s: Floats
    latency_s: Floats
    ends: npt.NDArray[np.int8]
    assigned_s: Floats
    capacity_s: Floats
    connections: int
    tries: int
    probes: int
    warm_s: float
