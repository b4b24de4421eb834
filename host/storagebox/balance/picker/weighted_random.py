"""Anyone, the more capable the more often."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from storagebox.balance.node import Node
from storagebox.balance.picker import Picker
from storagebox.balance.picker.alias import AliasTable
from storagebox.balance.picker.weights import relative


@dataclass(frozen=True, slots=True)
class WeightedRandom:
    """Each pick is drawn with a chance in proportion to weight; O(1) a pick (alias table)."""

    measure: None = None
    refresh_s: None = None

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        return Drawn(nodes, AliasTable(relative(nodes), random.random))


class Drawn:
    """Draws by an alias table of the nodes."""

    __slots__ = ("_draw", "_nodes")

    def __init__(self, nodes: Sequence[Node], table: AliasTable) -> None:
        self._nodes = nodes
        self._draw = table.draw

    def pick(self, now: float, key: bytes | None) -> Node:
        return self._nodes[self._draw()]
