"""One after the other: every server gets as many requests, whatever they cost it."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from storagebox.balance.node import Node
from storagebox.balance.picker import Picker
from storagebox.balance.picker.weights import alike, shares

_LEAST = 1 / 1024
"""Nobody is passed over for ever, whatever is left of it."""


@dataclass(frozen=True, slots=True)
class RoundRobin:
    """Full-mesh round robin, test 3 of the experiments: every server in turn, in a random order.

    The order is shuffled and the start drawn for each membership, so that a server's death doesn't
    double its neighbour's load on every client at once.

    It knows no weights, but who is to be spared (slow start, overload, degraded) is passed over as
    often as that says.
    """

    measure: None = None
    refresh_s: None = None

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        left = shares(nodes)
        return Turns(nodes, random) if alike(left) else _SparingTurns(nodes, left, random)


class Turns:
    """In turn, in a random order."""

    __slots__ = ("_at", "_nodes")

    def __init__(self, nodes: Sequence[Node], random: Random) -> None:
        self._nodes = list(nodes)
        random.shuffle(self._nodes)
        self._at = 0  # the order is random, and so the start

    def pick(self, now: float, key: bytes | None) -> Node:
        at = self._at
        node = self._nodes[at]
        at += 1
        self._at = at if at < len(self._nodes) else 0
        return node


class Passing:
    """Whose turn it is to be passed over: of ten turns, a server with a share of .1 takes one.

    Each begins at a random one of its turns. So the first turn, too, is taken with a chance of its
    share, and clients of few requests between two pickers spare a server as much as any.
    """

    __slots__ = ("_owed", "_shares")

    def __init__(self, left: Sequence[float], random: Random) -> None:
        """
        Args:
            left: what is left of each server's capacity; of one at least, something.
            random: the client's own.
        """
        most = max(left)
        self._shares = [max(_LEAST, share / most) for share in left]
        self._owed = [random.random() for _ in left]

    def takes(self, i: int) -> bool:
        """It is server i's turn: whether it takes it."""
        owed = self._owed[i] + self._shares[i]
        due = owed >= 1.0
        self._owed[i] = owed - 1.0 if due else owed
        return due


class _SparingTurns:
    __slots__ = ("_at", "_nodes", "_passing")

    def __init__(self, nodes: Sequence[Node], left: Sequence[float], random: Random) -> None:
        order = list(range(len(nodes)))
        random.shuffle(order)
        self._nodes = [nodes[i] for i in order]
        self._passing = Passing([left[i] for i in order], random)
        self._at = 0

    def pick(self, now: float, key: bytes | None) -> Node:
        while True:
            at = self._at
            self._at = at + 1 if at + 1 < len(self._nodes) else 0
            if self._passing.takes(at):
                return self._nodes[at]
