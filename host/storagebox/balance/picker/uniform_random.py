"""Anyone: what a policy has to be better than, and what many clients need no state for."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from storagebox.balance.node import Node
from storagebox.balance.picker import Picker
from storagebox.balance.picker.alias import AliasTable
from storagebox.balance.picker.weighted_random import Drawn
from storagebox.balance.picker.weights import alike, shares


@dataclass(frozen=True, slots=True)
class UniformRandom:
    """Each pick is drawn from all servers alike, whatever they weigh, but for who is to be spared
    (slow start, overload, degraded).

    Of N requests a server gets a binomial count, mean N/n, where round robin gives exact ones.
    Unlike there, a dead server's load doesn't fall on one neighbour.
    """

    measure: None = None
    refresh_s: None = None

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        left = shares(nodes)
        if alike(left):
            return _Anyone(nodes, random)
        return Drawn(nodes, AliasTable(left, random.random))


class _Anyone:
    __slots__ = ("_n", "_nodes", "_random")

    def __init__(self, nodes: Sequence[Node], random: Random) -> None:
        self._nodes = nodes
        self._n = len(nodes)
        self._random = random.random

    def pick(self, now: float, key: bytes | None) -> Node:
        return self._nodes[int(self._random() * self._n)]
