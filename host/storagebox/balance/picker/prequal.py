"""Prequal: probe a few at random, avoid those with many requests, of the others take the fastest.

Wydrowski, Kleinberg, Rumble, Archer, "Load is not what you should balance: Introducing Prequal",
NSDI 2024. A probe asks a server for its requests in flight (RIF) and for what a request takes at
about so many. Its answer goes into a pool and serves one of the next picks. Servers whose RIF is
above a quantile of the pool's are *hot*: the pick is the cold one of least latency, or, if all are
hot, the one of least RIF.

A pool of 16 answers needs 25 servers: with fewer, answers would have to be used without end. Then
every server is probed in turn and its last answer kept (`EveryReplica`), and the rule is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from random import Random

from storagebox.balance.load.reported import ReportedInFlight, Told
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport
from storagebox.balance.picker import Picker
from storagebox.balance.picker.asking import Asking
from storagebox.balance.picker.probe_responses import ProbeResponses, coldest, supposed


@dataclass(frozen=True, slots=True)
class Prequal:
    """The parameters of the paper.

    It needs somebody who sends the probes (`Prober`). Where nobody does, servers' reports with
    their answers serve `EveryReplica` alone, and a pool stays empty: picks are random.

    Args:
        probes: sent for each pick, also a fraction; fewer than 1 is known to be too few.
        pool: answers kept, of different servers.
        max_age_s: an older answer informs no pick.
        hot_quantile: of the RIFs in the pool; 0 leaves RIF only. As the highest of a few can't be
            above a quantile near 1, the threshold is never the highest.
        removals: taken from the pool for each pick, in turn the oldest and the worst; also a
            fraction. Without, picks use up the good and leave the bad.
        gain: of answers a pick, over what is used and removed (the paper's δ).
        measure: keeps failures, which count as requests in flight: a server that fails at once
            would be cold and fast.
    """

    probes: float = 3.0
    pool: int = 16
    max_age_s: float = 1.0
    hot_quantile: float = 2**-0.25
    removals: float = 1.0
    gain: float = 1.0
    measure: ReportedInFlight = field(default_factory=ReportedInFlight)
    refresh_s: None = None

    def __post_init__(self) -> None:
        if not (self.probes > 0 and self.pool >= 2 and 0 <= self.hot_quantile <= 1):
            raise ValueError(
                "Prequal: probes are above 0, a pool holds 2 or more, a quantile is in [0, 1]"
            )
        if not (self.removals >= 0 and self.gain >= 0 and self.max_age_s > 0):
            raise ValueError("Prequal: removals and gain are 0 or more, an age above 0")

    def reuse(self, n: int) -> float | None:
        """How often an answer is used, among `n` servers; `None` where a pool doesn't apply."""
        spare = (1 - self.pool / n) * self.probes - self.removals
        return max(1.0, (1 + self.gain) / spare) if spare > 0 else None

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        reuse = self.reuse(len(nodes))
        if reuse is None:
            return EveryReplica(nodes, self, random)
        picker = Pooled(nodes, self, random, reuse)
        if isinstance(previous, Pooled):
            picker.pool.adopt(previous.pool, nodes)
        return picker


class Pooled:
    """Picks by the answers in a pool, each a few times."""

    __slots__ = (
        "_asking",
        "_max_age_s",
        "_nodes",
        "_oldest_next",
        "_random",
        "_ranks",
        "_removals",
        "_removing",
        "pool",
        "probed",
        "probes",
    )

    def __init__(
        self, nodes: Sequence[Node], policy: Prequal, random: Random, reuse: float
    ) -> None:
        self._asking = Asking(nodes, policy.probes, random)
        self.probes = self._asking.probes
        self._nodes = nodes
        self._random = random.random
        self._max_age_s = policy.max_age_s
        self._ranks = [_rank(n, policy.hot_quantile) for n in range(policy.pool + 1)]
        self._removals = policy.removals
        self._removing = 0.0
        self._oldest_next = True
        self.pool = ProbeResponses(policy.pool, reuse, policy.measure.failure_s)
        self.probed = self.pool.take

    def pick(self, now: float, key: bytes | None) -> Node:
        self._asking.picks += 1
        pool = self.pool
        about = pool.about
        too_old_s = now - self._max_age_s
        while about and about[0][1] < too_old_s:
            pool.drop(0)
        n = len(about)
        if n < 2:
            return self._nodes[int(self._random() * len(self._nodes))]
        rank = self._ranks[n]
        limit = sorted(pool.loads)[rank - 1] if rank else -1.0
        best = pool.coldest(limit)
        node, at_s, uses = about[best]
        uses -= 1
        if uses > 0 and (uses >= 1 or self._random() < uses):
            about[best] = node, at_s, uses
            pool.loads[best] += 1
        else:
            pool.drop(best)
        self._removing += self._removals
        while self._removing >= 1:
            self._removing -= 1
            if about:
                oldest = self._oldest_next
                pool.drop(0 if oldest else pool.worst(limit))
                self._oldest_next = not oldest
        return node


class EveryReplica:
    """Picks by the last answer of each server; for so few that they can all be asked."""

    __slots__ = (
        "_asking",
        "_failure_s",
        "_max_age_s",
        "_nodes",
        "_quantile",
        "_random",
        "_shuffled",
        "probes",
    )

    def __init__(self, nodes: Sequence[Node], policy: Prequal, random: Random) -> None:
        self._asking = Asking(nodes, policy.probes, random)
        self.probes = self._asking.probes
        self._nodes = nodes
        self._shuffled = [*nodes]
        random.shuffle(self._shuffled)
        self._random = random.random
        self._max_age_s = policy.max_age_s
        self._failure_s = policy.measure.failure_s
        self._quantile = policy.hot_quantile

    def probed(self, node: Node, report: LoadReport, now: float) -> None:
        """The newest counts."""
        told: Told = node.load
        told.take(node, report, now)

    def pick(self, now: float, key: bytes | None) -> Node:
        self._asking.picks += 1
        too_old_s = now - self._max_age_s
        fresh: list[Node] = []
        loads: list[float] = []
        latencies_s: list[float] = []
        for node in self._shuffled:
            told: Told = node.load
            if told.in_flight >= 0 and told.at_s >= too_old_s:
                load: float = told.in_flight + node.picked - told.picked
                latency_s = inf if told.latency_s is None else told.latency_s
                if node.failed:
                    failures = told.failing(now, self._failure_s)
                    load += failures
                    latency_s *= 1 + failures
                fresh.append(node)
                loads.append(load)
                latencies_s.append(latency_s)
        if len(fresh) < 2:
            return self._nodes[int(self._random() * len(self._nodes))]
        if inf in latencies_s:
            latencies_s = supposed(latencies_s)
        return fresh[coldest(loads, latencies_s, threshold(loads, self._quantile))]


def threshold(loads: Sequence[float], quantile: float) -> float:
    """Above how many requests in flight a server is hot; two or more are given."""
    rank = _rank(len(loads), quantile)
    return sorted(loads)[rank - 1] if rank else -1.0


def _rank(n: int, quantile: float) -> int:
    """Which of `n` figures in order is the quantile, from 1; 0: below all of them.

    The exact one, but never the highest: of three, .84 is the third, and nobody would be hot.
    """
    return min(ceil(quantile * n), n - 1)
