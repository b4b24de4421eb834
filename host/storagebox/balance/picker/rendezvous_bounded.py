"""A key's requests to one server, whose cache then knows it; but no more than it can take.

A mesh shows each server all keys of all clients, so caches hold less of each. With this, a server
sees its keys only. Each key ranks the servers by a hash of both (rendezvous, or highest random
weight: Thaler, Ravishankar, 1998), so when one goes only its keys move. Its requests go to the
first in the key's ranking that has room (Mirrokni, Thorup, Zadimoghaddam, "Consistent hashing with
bounded loads", 2018): at most `factor` times its share of this client's requests in flight.

Keys are hashed into slots first, and a slot's ranking is kept once it was needed. Then a pick
costs the same whatever the number of servers; the first of a slot ranks all of them (10,000: about
2 ms).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from storagebox.balance.load.in_flight import InFlight, in_flight
from storagebox.balance.node import Node
from storagebox.balance.picker import Picker
from storagebox.balance.picker.power_of_two import PowerOfTwo
from storagebox.balance.picker.weights import relative, weighing

_SLOTS = 1 << 16
"""Kept rankings at most; keys of one slot share theirs."""
_FIRST = 6
"""Servers of a ranking that are kept; further ones are rarely needed."""


@dataclass(frozen=True, slots=True)
class BoundedRendezvous:
    """Rendezvous hashing by weight, with bounded load. What has no key goes to the better of two.

    Args:
        factor: how far above its share of requests in flight a server may go. HAProxy
            (`hash-balance-factor`) finds 1.25 to 2 reasonable: less moves more keys, more is less
            even.
        measure: counts requests in flight, and failures as such.
    """

    factor: float = 1.25
    measure: InFlight = field(default_factory=InFlight)
    refresh_s: None = None

    def __post_init__(self) -> None:
        if not self.factor > 1:
            raise ValueError(f"bounded load of factor {self.factor}: give more than 1")

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        keyless = PowerOfTwo(self.measure).picker(nodes, None, random, now)
        able, weights = weighing(nodes, relative(nodes))
        return _Ranked(able, weights, self, keyless)


class _Ranked:
    __slots__ = (
        "_count_every",
        "_count_in",
        "_factor",
        "_hashes",
        "_held",
        "_keyless",
        "_load",
        "_nodes",
        "_rankings",
        "_shares",
        "_weights",
    )

    def __init__(
        self,
        nodes: Sequence[Node],
        weights: Sequence[float],
        policy: BoundedRendezvous,
        keyless: Picker,
    ) -> None:
        self._nodes = nodes
        total = sum(weights)
        self._shares = [weight / total for weight in weights]
        self._weights = np.asarray(weights)
        digests = b"".join(
            blake2b(node.endpoint.id.encode(), digest_size=8).digest() for node in nodes
        )
        self._hashes = np.frombuffer(digests, dtype="<u8").astype(np.uint64)
        self._rankings: dict[int, list[int]] = {}
        self._factor = policy.factor
        self._load = policy.measure.load
        self._keyless = keyless
        self._held = 0
        self._count_every = max(1, len(nodes) // 8)
        self._count_in = 0

    def pick(self, now: float, key: bytes | None) -> Node:
        if key is None:
            return self._keyless.pick(now, None)
        if self._count_in == 0:  # all at once and rarely: nobody tells a picker of ends
            self._held = in_flight(self._nodes)
            self._count_in = self._count_every
        self._count_in -= 1
        self._held += 1  # with this one
        slot = crc32(key) & _SLOTS - 1
        ranking = self._rankings.get(slot)
        if ranking is None:
            ranking = self._rankings[slot] = self._rank(slot)[:_FIRST].tolist()
        limit = self._factor * self._held
        nodes, shares, load = self._nodes, self._shares, self._load
        for i in ranking:
            node = nodes[i]
            if load(node, now) < limit * shares[i]:
                return node
        for i in self._rank(slot).tolist():
            if load(nodes[i], now) < limit * shares[i]:
                return nodes[i]
        return nodes[ranking[0]]

    def _rank(self, slot: int) -> NDArray[np.intp]:
        """All servers' positions in the slot's order."""
        mixed = _mix(self._hashes ^ _mix(np.full(1, slot, dtype=np.uint64)))
        uniform = ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
        return np.argsort(-np.log(uniform) / self._weights, kind="stable")


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea, Flood, 2014): every bit affects every other."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
