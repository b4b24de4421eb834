"""The better of two drawn at random, whatever "better" is measured by.

Two are enough: the longest queue falls from log n / log log n to log log n, while the many clients
that all see the same least loaded server don't all go there. (Mitzenmacher, "The power of two
choices in randomized load balancing", 1996; Finagle `P2CPick.scala`.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from storagebox.balance.load.in_flight import InFlight
from storagebox.balance.node import Node
from storagebox.balance.picker import Measure, Picker
from storagebox.balance.picker.alias import AliasTable
from storagebox.balance.picker.weights import alike, relative, weighing

_DRAWS = 5
"""How often a second, different server is drawn by weight before the first is taken (Finagle)."""


@dataclass(frozen=True, slots=True)
class PowerOfTwo:
    """Draws two different servers and takes the less loaded; of equals, the one drawn first.

    The two are always different: drawn with replacement, a third of the picks among three servers
    would be no choice. Where weights differ, servers are drawn by weight and load is divided by
    it.

    Args:
        measure: what load is: `InFlight()`, `PeakEwma()` or `ReportedInFlight()`.
    """

    measure: Measure = field(default_factory=InFlight)
    refresh_s: None = None

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        nodes, weights = weighing(nodes, relative(nodes))
        if len(nodes) == 1:
            return Only(nodes[0])
        if alike(weights):
            less = getattr(self.measure, "less", None)
            return _Compared(nodes, random, less) if less else _Two(nodes, random, self.measure)
        return WeightedTwo(nodes, weights, random, self.measure.load)


class Only:
    """There is no choice."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def pick(self, now: float, key: bytes | None) -> Node:
        return self._node


class _Two:
    __slots__ = ("_load", "_n", "_nodes", "_random")

    def __init__(self, nodes: Sequence[Node], random: Random, measure: Measure) -> None:
        self._nodes = nodes
        self._n = len(nodes)
        self._random = random.random
        self._load = measure.load

    def pick(self, now: float, key: bytes | None) -> Node:
        random, n, nodes, load = self._random, self._n, self._nodes, self._load
        first = int(random() * n)
        second = int(random() * (n - 1))
        if second >= first:
            second += 1
        one, other = nodes[first], nodes[second]
        return one if load(one, now) <= load(other, now) else other


class _Compared:
    __slots__ = ("_less", "_n", "_nodes", "_random")

    def __init__(
        self, nodes: Sequence[Node], random: Random, less: Callable[[Node, Node, float], bool]
    ) -> None:
        self._nodes = nodes
        self._n = len(nodes)
        self._random = random.random
        self._less = less

    def pick(self, now: float, key: bytes | None) -> Node:
        random, n = self._random, self._n
        first = int(random() * n)
        second = int(random() * (n - 1))
        if second >= first:
            second += 1
        one, other = self._nodes[first], self._nodes[second]
        return one if self._less(one, other, now) else other


class WeightedTwo:
    """Two by weight; whose load is less in relation to it (Finagle `WeightedP2CPick.scala`)."""

    __slots__ = ("_draw", "_load", "_nodes", "_weights")

    def __init__(
        self,
        nodes: Sequence[Node],
        weights: Sequence[float],
        random: Random,
        load: Callable[[Node, float], float],
    ) -> None:
        """
        Args:
            nodes: who.
            weights: each above 0.
            random: the client's own.
            load: of a node, at a time.
        """
        self._nodes = nodes
        self._weights = weights
        self._draw = AliasTable(weights, random.random).draw
        self._load = load

    def pick(self, now: float, key: bytes | None) -> Node:
        draw, nodes, weights, load = self._draw, self._nodes, self._weights, self._load
        first = draw()
        for _ in range(_DRAWS):
            second = draw()
            if second != first:
                break
        else:
            return nodes[first]
        one, other = nodes[first], nodes[second]
        if load(one, now) * weights[second] <= load(other, now) * weights[first]:
            return one
        return other
