"""Whom to send load probes: different servers at random, so many for each pick."""

from collections.abc import Sequence
from random import Random

from storagebox.balance.node import Node


class Asking:
    """Draws them; a fraction of a probe a pick adds up.

    Whoever picks adds 1 to `picks` each time.
    """

    __slots__ = ("_nodes", "_owed", "_per_pick", "_random", "picks")

    def __init__(self, nodes: Sequence[Node], per_pick: float, random: Random) -> None:
        self._nodes = nodes
        self._per_pick = per_pick
        self._random = random.random
        self._owed = 0.0
        self.picks = 0

    def probes(self, now: float) -> Sequence[Node]:
        """Whom to ask now: each once, however many picks there were."""
        owed = self._owed + self.picks * self._per_pick
        self.picks = 0
        due = int(owed)
        self._owed = owed - due
        nodes, n, random = self._nodes, len(self._nodes), self._random
        if due >= n:
            return nodes
        drawn: list[Node] = []
        while len(drawn) < due:
            node = nodes[int(random() * n)]
            if node not in drawn:
                drawn.append(node)
        return drawn
