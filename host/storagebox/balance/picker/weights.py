"""What servers weigh against each other, once nobody's weight is unknown any more."""

from collections.abc import Sequence
from math import isfinite

from storagebox.balance.node import Node


def relative(nodes: Sequence[Node]) -> list[float]:
    """A weight for each node, of which only the ratios matter; at least one is above 0.

    Unknown (`None`, and whatever is no weight: negative, NaN, infinite) counts as the mean of
    those that are known. 0 stays 0 and is never picked, unless all weigh 0, which then weigh
    alike.
    """
    known = [node.weight for node in nodes if node.weight is not None and _sound(node.weight)]
    mean = sum(known) / len(known) if known else 1.0
    if mean <= 0:
        return [1.0] * len(nodes)
    return [
        node.weight if node.weight is not None and _sound(node.weight) else mean for node in nodes
    ]


def weighing(nodes: Sequence[Node], weights: Sequence[float]) -> tuple[list[Node], list[float]]:
    """The nodes that weigh anything, and what; weights are 0 or more."""
    pairs = [(node, weight) for node, weight in zip(nodes, weights, strict=True) if weight > 0]
    return [node for node, _ in pairs], [weight for _, weight in pairs]


def alike(weights: Sequence[float]) -> bool:
    """Whether weights make no difference."""
    return min(weights) == max(weights)


def _sound(weight: float) -> bool:
    return weight >= 0 and isfinite(weight)


def shares(nodes: Sequence[Node]) -> list[float]:
    """What slow start and the like leave of each node's capacity, 0 to 1, whatever it weighs.

    For policies that learn weights by themselves: what is learnt is multiplied by this.
    """
    known = [node.endpoint.weight for node in nodes if node.endpoint.weight]
    unknown = sum(known) / len(known) if known else 1.0
    return [
        1.0
        if node.weight is None or not _sound(node.weight)
        else min(1.0, node.weight / (node.endpoint.weight or unknown))
        for node in nodes
    ]
