"""Weighted round robin whose weights the servers' reports teach: gRPC A58.

Among servers with little to do its weights wander, and that is the formula's doing. A process that
also spends a share b of its processor on other things tells, at r requests a second of c each, a
capacity of r / (c r + b): the more requests it gets, the more capable it looks. Of a deviation of
r, the part b / (c r + b) comes back in its weight, and so in the next r: less than 1, so weights
tend to be even; but where b is nearly all, chance adds up over (c r + b) / c r updates.
`least_expected_wait` looks at capacities only by their root, and among idle servers it draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median

from storagebox.balance.load.capacity import ReportedCapacity
from storagebox.balance.node import Node
from storagebox.balance.picker import Picker
from storagebox.balance.picker.stride import strides
from storagebox.balance.picker.weights import relative, shares

_MAX_RATIO = 10.0


@dataclass(frozen=True, slots=True)
class ReportedWeights:
    """Static stride by capacity (`load.capacity`), recomputed every `refresh_s`.

    A server whose capacity isn't known counts as the mean of those known. While less than two are
    known, weights are the configured ones, and if there are none, it is plain round robin. What
    slow start leaves of a server is left of what was learnt, too.

    Args:
        refresh_s: new weights so often; not below 0.1.
        blackout_s: how long a server must have told before it is believed: at its start it doesn't
            know itself yet.
        expiry_s: what was told so long ago is forgotten.
    """

    refresh_s: float = 1.0
    blackout_s: float = 10.0
    expiry_s: float = 180.0
    measure: ReportedCapacity = field(default_factory=ReportedCapacity)

    def __post_init__(self) -> None:
        if not self.refresh_s >= 0.1:
            raise ValueError(f"weights anew every {self.refresh_s} s: give 0.1 s or more (A58)")

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        learnt = capacities(nodes, now, self.blackout_s, self.expiry_s)
        return strides(nodes, learnt or relative(nodes), previous, random)


def capacities(
    nodes: Sequence[Node], now: float, blackout_s: float, expiry_s: float
) -> list[float] | None:
    """Learnt weights in any unit, the unknown as the mean, times what slow start leaves of each.

    `None` while less than two are known. None is believed to differ from their median by more than
    ten times: that is a mistake, or a lie, and would get all requests or none. `node.load` is a
    `Capacity`, or has one as `capacity`.
    """
    told = [
        getattr(node.load, "capacity", node.load).known(now, blackout_s, expiry_s)
        for node in nodes
    ]
    known = [capacity for capacity in told if capacity is not None]
    if len(known) < 2:
        return None
    middle = median(known)
    low, high = middle / _MAX_RATIO, middle * _MAX_RATIO
    believed = [None if told is None else min(max(told, low), high) for told in told]
    mean = sum(capacity for capacity in believed if capacity is not None) / len(known)
    return [
        (mean if capacity is None else capacity) * share
        for capacity, share in zip(believed, shares(nodes), strict=True)
    ]
