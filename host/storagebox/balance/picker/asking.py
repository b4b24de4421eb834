"""Whom to send load probes: different servers at random, so many for each pick."""

from collections.abc import Sequence
from random import Random

from storagebox.balance.node import Node


class Asking:
    """Draws them; a fraction of a probe a pick adds up."""

    __slots__ = ("_due", "_nodes", "_owed", "_per_pick", "_random")

    def __init__(self, nodes: Sequence[Node], per_pick: float, random: Random) -> None:
        self._nodes = nodes
        self._per_pick = per_pick
        self._random = random.random
        self._owed = 0.0
        self._due = 0

    def owe(self) -> None:
        """There was a pick."""
        owed = self._owed + self._per_pick
        whole = int(owed)
        self._owed = owed - whole
        self._due += whole

    def probes(self, now: float) -> Sequence[Node]:
        """Whom to ask now: each once, however many picks there were."""
        due, self._due = self._due, 0
        nodes, n, random = self._nodes, len(self._nodes), self._random
        if due >= n:
            return nodes
        drawn: list[int] = []
        while len(drawn) < due:
            i = int(random() * n)
            if i not in drawn:
                drawn.append(i)
        return [nodes[i] for i in drawn]
