"""One after the other: every server gets as many requests, whatever they cost it."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from storagebox.balance.node import Node
from storagebox.balance.picker import Picker


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Full-mesh round robin, test 3 of the experiments: every server in turn, in a random order.

    The order is shuffled and the start drawn for each membership, so that a server's death doesn't
    double its neighbour's load on every client at once.
    """

    measure: None = None
    refresh_s: None = None

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        order = list(nodes)
        random.shuffle(order)
        return _Turns(order)


class _Turns:
    __slots__ = ("_at", "_nodes")

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self._at = 0  # the order is random, and so the start

    def pick(self, now: float, key: bytes | None) -> Node:
        at = self._at
        node = self._nodes[at]
        at += 1
        self._at = at if at < len(self._nodes) else 0
        return node
