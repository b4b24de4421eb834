"""A health that sees nothing: what balancing is without any."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from storagebox.balance.health import Assessment
from storagebox.balance.node import Node


class Blind:
    """Everybody is always well. For comparison only."""

    def joined(self, node: Node, *_: object, **__: object) -> None: ...

    def changed(self, *_: object) -> None: ...

    def checked(self, *_: object) -> None: ...

    def began(self, *_: object, **__: object) -> bool:
        return False

    def outpaced(self, *_: object, **__: object) -> bool:
        return False

    def ended(self, *_: object, **__: object) -> bool:
        return False

    def assess(self, nodes: Sequence[Node], now: float) -> Assessment:
        """All that don't drain."""
        usable = tuple(node for node in nodes if node.endpoint.weight != 0)
        for node in usable:
            node.weight = node.endpoint.weight
        return Assessment(usable, (), panic=False, again_s=inf)

    def why(self, node: Node, now: float) -> str:
        return "nobody looks"
