"""Deterministic aperture: clients and servers share a ring, and each client uses a slice of it.

Of the servers at the slice's ends it uses fractions, so that all slices together use every server
equally. (Finagle, `loadbalancer/aperture/DeterministicAperture.scala`.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from random import Random

from storagebox.balance.load.in_flight import InFlight
from storagebox.balance.node import Node
from storagebox.balance.picker import Measure, Picker
from storagebox.balance.picker.power_of_two import Only, WeightedTwo
from storagebox.balance.picker.weights import relative, weighing

_DIGITS = 9
"""Shares that differ beyond these are equal: sums of floats."""


@dataclass(frozen=True, slots=True)
class DeterministicAperture:
    """Power of two choices within the client's slice, by fractional weights.

    It needs to know how many clients there are. It doesn't suit clients that send in bursts: a
    small slice takes them. With as many servers as `size` or fewer, all are used.

    Args:
        client: its number, from 0 without gaps.
        clients: how many there are.
        size: servers in a slice, in sum. Finagle's 12: two choices among few give a fraction too
            much (half a server of 2 as much as a whole one, of 4 .56, of 10 .52), and 12 are
            rarely all unwell.
        measure: what load is.
    """

    client: int
    clients: int
    size: int = 12
    measure: Measure = field(default_factory=InFlight)
    refresh_s: None = None

    def __post_init__(self) -> None:
        if not 0 <= self.client < self.clients:
            raise ValueError(
                f"aperture of client {self.client} of {self.clients}: number clients from 0"
            )
        if self.size < 1:
            raise ValueError(f"aperture of {self.size} servers: give 1 or more")

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        used, portions = weighing(
            nodes, aperture(relative(nodes), self.client, self.clients, self.size)
        )
        if len(used) == 1:
            return Only(used[0])
        return WeightedTwo(used, portions, random, self.measure.load)


def aperture(weights: Sequence[float], client: int, clients: int, size: int) -> list[float]:
    """How much of the ring each server shares with a client's slice; 0 for most.

    The slice begins at client / clients and is as many clients' distances wide as hold
    `size` / n of the ring, rounded up. A server's arc is its share of the weights.
    """
    n, total = len(weights), sum(weights)
    width = min(clients, ceil(min(size, n) / n * clients - 1e-9)) / clients
    begin = client / clients
    portions: list[float] = []
    at = 0.0
    for weight in weights:
        arc = weight / total
        shared = _overlap(at, at + arc, begin, begin + width)
        shared += _overlap(at + 1, at + 1 + arc, begin, begin + width)  # the slice goes around
        portions.append(round(min(shared, arc), _DIGITS))
        at += arc
    return portions


def _overlap(begin: float, end: float, other_begin: float, other_end: float) -> float:
    return max(0.0, min(end, other_end) - max(begin, other_begin))
