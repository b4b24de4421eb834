"""Weighted round robin with one counter and nothing else: gRPC's static stride scheduler.

A58 specified a heap of deadlines; grpc-go replaced it by this one
(`balancer/weightedroundrobin/scheduler.go`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from storagebox.balance.node import Node
from storagebox.balance.picker import Picker
from storagebox.balance.picker.round_robin import Turns
from storagebox.balance.picker.weights import alike, relative, weighing

_FULL = 0xFFFF
"""What the heaviest weighs: it is never skipped."""
_PHASE = _FULL // 2
"""Shifts neighbours' turns against each other, so that a generation isn't all or nobody."""


@dataclass(frozen=True, slots=True)
class StaticStride:
    """Counts through servers and generations; in each generation a server is due or skipped.

    Server i with weight W (65535 for the heaviest) is skipped in generation g if
    (W·g + i·32767) mod 65535 < 65535 - W. Over 65535 generations the counts are exact. A pick
    takes n · max(w) / Σw steps on average: cheap, unless one server outweighs all others together.

    Weights of more than 65535 to 1 are rounded up to that.
    """

    measure: None = None
    refresh_s: None = None

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        return strides(nodes, relative(nodes), previous, random)


def strides(
    nodes: Sequence[Node], weights: Sequence[float], previous: Picker | None, random: Random
) -> Picker:
    """A picker of the nodes that weigh anything, from a random pick on.

    If only weights have changed, it counts on from where the previous one was: a client with fewer
    requests than changes would otherwise choose at random.

    Not from a random count, as gRPC: the first pick would be whoever comes after a gap, and that
    is mostly the heaviest, which is never skipped. Clients of few requests between two pickers
    would overload it.
    """
    able, weights = weighing(nodes, weights)
    if alike(weights):
        return Turns(able, random)
    heaviest = max(weights)
    scaled = [max(1, round(_FULL * weight / heaviest)) for weight in weights]
    if isinstance(previous, Strides) and previous.nodes == able:
        return Strides(able, scaled, previous.count)
    n = len(able)
    while True:
        count = random.randrange(1 << 32)
        generation, i = divmod(count, n)
        if _due(scaled[i], generation, i):
            return Strides(able, scaled, count)


def _due(weight: int, generation: int, i: int) -> bool:
    return (weight * generation + i * _PHASE) % _FULL >= _FULL - weight


class Strides:
    """Picks by static stride, from a given count on."""

    __slots__ = ("_n", "_scaled", "count", "nodes")

    def __init__(self, nodes: Sequence[Node], scaled: Sequence[int], count: int) -> None:
        """
        Args:
            nodes: who.
            scaled: their weights, 1 to 65535; at least one is 65535.
            count: where the counter starts.
        """
        self.nodes = nodes
        self._n = len(nodes)
        self._scaled = scaled
        self.count = count

    def pick(self, now: float, key: bytes | None) -> Node:
        count, n, scaled = self.count, self._n, self._scaled
        while True:
            generation, i = divmod(count, n)
            count += 1
            weight = scaled[i]
            if (weight * generation + i * _PHASE) % _FULL >= _FULL - weight:  # `_due`
                self.count = count
                return self.nodes[i]
