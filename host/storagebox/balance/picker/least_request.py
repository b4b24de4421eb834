"""Who has the fewest requests of this client: of all where they are few, of some where many."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from random import Random

from storagebox.balance.load.in_flight import InFlight
from storagebox.balance.node import Node
from storagebox.balance.picker import Measure, Picker
from storagebox.balance.picker.power_of_two import Only
from storagebox.balance.picker.weights import alike, relative, weighing

_MAX_CHOICES = 10
"""gRPC A48 allows 2 to 10."""


@dataclass(frozen=True, slots=True)
class LeastRequest:
    """The fewest requests in flight; where weights differ, Envoy's weighted least request.

    Up to `scan` servers all are looked at, and equals get equal shares. Of more, `choices`
    different ones are drawn: who looks at all of many chooses the same as every other client.

    Where weights differ it is a weighted round robin (by earliest deadline) in which each server's
    weight is w / (requests in flight + 1) ^ bias at its turn. So nobody's share falls to nothing,
    which it would if the greatest such weight were chosen: an idle light server never beats an
    idle heavy one.

    Args:
        choices: 2 to 10.
        scan: up to so many servers, all are looked at.
        bias: how much requests in flight count where weights differ; 0: not at all.
        measure: of requests in flight.
    """

    choices: int = 2
    scan: int = 4
    bias: float = 1.0
    measure: Measure = field(default_factory=InFlight)
    refresh_s: None = None

    def __post_init__(self) -> None:
        if not 2 <= self.choices <= _MAX_CHOICES:
            raise ValueError(f"least request of {self.choices} choices: give 2 to {_MAX_CHOICES}")
        if not self.bias >= 0:
            raise ValueError(f"least request with bias {self.bias}: give 0 or more")

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        nodes, weights = weighing(nodes, relative(nodes))
        if len(nodes) == 1:
            return Only(nodes[0])
        if not alike(weights):
            return _Weighted(nodes, weights, random, self.measure, self.bias)
        if len(nodes) <= max(self.scan, self.choices):
            return _Scan(nodes, random, self.measure)
        return _Choices(nodes, random, self.measure, self.choices)


class _Scan:
    """Looks at all, from a random one on, so that equals get equal shares."""

    __slots__ = ("_load", "_n", "_random", "_twice")

    def __init__(self, nodes: Sequence[Node], random: Random, measure: Measure) -> None:
        order = list(nodes)
        random.shuffle(order)
        self._n = len(order)
        self._twice = order * 2
        self._random = random.random
        self._load = measure.load

    def pick(self, now: float, key: bytes | None) -> Node:
        load, n = self._load, self._n
        start = int(self._random() * n)
        best = self._twice[start]
        least = load(best, now)
        for node in self._twice[start + 1 : start + n]:
            its = load(node, now)
            if its < least:
                best, least = node, its
        return best


class _Choices:
    """Looks at some, all different. Of equals it takes the one drawn first, which is any."""

    __slots__ = ("_choices", "_load", "_n", "_nodes", "_random")

    def __init__(
        self, nodes: Sequence[Node], random: Random, measure: Measure, choices: int
    ) -> None:
        self._nodes = nodes
        self._n = len(nodes)
        self._choices = choices
        self._random = random.random
        self._load = measure.load

    def pick(self, now: float, key: bytes | None) -> Node:
        random, n, nodes, load = self._random, self._n, self._nodes, self._load
        drawn = [int(random() * n)]
        best = nodes[drawn[0]]
        least = load(best, now)
        while len(drawn) < self._choices:
            i = int(random() * n)
            if i in drawn:
                continue
            drawn.append(i)
            its = load(nodes[i], now)
            if its < least:
                best, least = nodes[i], its
        return best


class _Weighted:
    __slots__ = ("_bias", "_heap", "_load")

    def __init__(
        self,
        nodes: Sequence[Node],
        weights: Sequence[float],
        random: Random,
        measure: Measure,
        bias: float,
    ) -> None:
        self._load = measure.load
        self._bias = bias
        self._heap = [
            (random.random() / weight, i, weight, node)
            for i, (node, weight) in enumerate(zip(nodes, weights, strict=True))
        ]
        heapify(self._heap)

    def pick(self, now: float, key: bytes | None) -> Node:
        due, i, weight, node = self._heap[0]
        due += (self._load(node, now) + 1.0) ** self._bias / weight
        heapreplace(self._heap, (due, i, weight, node))
        return node
