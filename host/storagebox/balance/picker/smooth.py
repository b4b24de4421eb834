"""Smooth weighted round robin, as nginx has it: the heavy often, but never many times in a row.

At each pick every server's credit grows by its weight; who has most is picked and pays the sum of
all weights. Weights 5, 1, 1 give a a b a c a a. (nginx `ngx_http_upstream_round_robin.c`.)

As written there a pick costs O(n). But servers of equal weight gain alike, so the order among them
changes only by picks: a heap for each distinct weight finds the same server in
O(distinct weights + log n).

nginx also lowers a server's weight for a while when it fails. Here that is health's task, which
does it for all policies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from itertools import count
from random import Random

from storagebox.balance.node import Node
from storagebox.balance.picker import Picker
from storagebox.balance.picker.weights import alike, relative, weighing

_MAX_DISTINCT = 32
"""With more distinct weights than this, a pick would cost more than `Deadlines`' does."""
_MAX_AHEAD = 1000
"""Picks that are thrown away at most to start at random: they cost as much as others."""


@dataclass(frozen=True, slots=True)
class SmoothWeightedRoundRobin:
    """In turn by weight, exactly, and spread as evenly as it can be.

    With integer weights, any Σw picks in a row give each server exactly its weight's share. Every
    client starts elsewhere in the cycle, and breaks ties in an order of its own: otherwise all
    would start at the heaviest.

    Servers of more than 32 distinct weights (learnt ones) are picked by earliest deadline, which
    has the same exact counts and costs O(log n).
    """

    measure: None = None
    refresh_s: None = None

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        order = list(nodes)
        random.shuffle(order)
        able, weights = weighing(order, relative(order))
        if len(set(weights)) > _MAX_DISTINCT:
            return Deadlines(able, weights, random)
        picker = Credits(able, weights)
        cycle = len(able) if alike(weights) else int(sum(weights))
        for _ in range(random.randrange(max(1, min(cycle, _MAX_AHEAD)))):
            picker.pick(now, None)
        return picker


class Credits:
    """nginx's algorithm, from its beginning."""

    __slots__ = ("_groups", "_picks", "_total")

    def __init__(self, nodes: Sequence[Node], weights: Sequence[float]) -> None:
        """
        Args:
            nodes: of several with equal credit the first is picked.
            weights: each above 0. Integers (also as floats) are counted exactly.
        """
        exact = [int(weight) if weight == int(weight) else weight for weight in weights]
        self._total = sum(exact)
        self._picks = 0
        groups: dict[float, list[tuple[float, int, Node]]] = {}
        for i, (node, weight) in enumerate(zip(nodes, exact, strict=True)):
            groups.setdefault(weight, []).append((0, i, node))
        self._groups = list(groups.items())
        """Weight: heap of (debt, position, node), where credit = picks · weight - debt."""

    def pick(self, now: float, key: bytes | None) -> Node:
        self._picks = picks = self._picks + 1
        groups = self._groups
        weight, chosen = groups[0]
        debt, first, node = chosen[0]
        most = picks * weight - debt
        for weight, heap in groups[1:] if len(groups) > 1 else ():
            debt, i, other = heap[0]
            credit = picks * weight - debt
            if credit > most or (credit == most and i < first):
                most, first, node, chosen = credit, i, other, heap
        debt = chosen[0][0]
        heapreplace(chosen, (debt + self._total, first, node))
        return node


class Deadlines:
    """Earliest deadline first: the k-th request of a server is due at (phase + k) / weight.

    In any stretch of virtual time 1 a server of integer weight w is due exactly w times, whatever
    its phase, which is drawn.
    """

    __slots__ = ("_heap",)

    def __init__(self, nodes: Sequence[Node], weights: Sequence[float], random: Random) -> None:
        order = count()
        self._heap = [
            (random.random() / weight, next(order), 1 / weight, node)
            for node, weight in zip(nodes, weights, strict=True)
        ]
        heapify(self._heap)

    def pick(self, now: float, key: bytes | None) -> Node:
        due, i, every, node = self._heap[0]
        heapreplace(self._heap, (due + every, i, every, node))
        return node
