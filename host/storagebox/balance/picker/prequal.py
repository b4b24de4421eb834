"""Prequal: probe a few at random, avoid those with many requests, of the others take the fastest.

Wydrowski, Kleinberg, Rumble, Archer, "Load is not what you should balance: Introducing Prequal",
NSDI 2024. A probe asks a server for its requests in flight (RIF) and for what a request takes at
about so many. Its answer goes into a pool and serves one of the next picks. Servers whose RIF is
above a quantile of the pool's are *hot*: the pick is the cold one of least latency, or, if all are
hot, the one of least RIF.

A pool of 16 answers needs 25 servers: with fewer, answers would have to be used without end. Then
every server is probed in turn and its last answer kept (`EveryReplica`), and the rule is the same.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from operator import attrgetter
from random import Random

from storagebox.balance.load.in_flight import Failures
from storagebox.balance.load.reported import ReportedInFlight, Told
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport
from storagebox.balance.picker import Picker
from storagebox.balance.picker.asking import Asking


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
        pool = previous.pool if isinstance(previous, Pooled) else {}
        return Pooled(nodes, self, random, reuse, pool)


class ProbeResponse:
    """What one server answered to a probe."""

    __slots__ = ("at_s", "in_flight", "latency_s", "node", "uses")

    def __init__(
        self, node: Node, in_flight: float, latency_s: float | None, at_s: float, uses: float
    ) -> None:
        self.node = node
        self.in_flight = in_flight
        """Then, and picks since."""
        self.latency_s = latency_s
        self.at_s = at_s
        self.uses = uses
        """For how many more picks it is good."""


class Pooled:
    """Picks by the answers in a pool, each a few times."""

    __slots__ = (
        "_max_age_s",
        "_nodes",
        "_oldest_next",
        "_owe",
        "_policy",
        "_random",
        "_removing",
        "_reuse",
        "pool",
        "probes",
    )

    def __init__(
        self,
        nodes: Sequence[Node],
        policy: Prequal,
        random: Random,
        reuse: float,
        pool: Mapping[Node, ProbeResponse],
    ) -> None:
        asking = Asking(nodes, policy.probes, random)
        self.probes = asking.probes
        self._owe = asking.owe
        self._nodes = nodes
        self._policy = policy
        self._random = random.random
        self._max_age_s = policy.max_age_s
        here = set(nodes) if pool else ()
        self.pool = {node: answer for node, answer in pool.items() if node in here}
        """A server's answer, the oldest first."""
        self._reuse = reuse
        self._removing = 0.0
        self._oldest_next = True

    def probed(self, node: Node, report: LoadReport, now: float) -> None:
        """An answer replaces an earlier one of that server, or the oldest if the pool is full."""
        in_flight: float | None = report.in_flight
        latency_s = report.latency_s
        if in_flight is None or not 0 <= in_flight < inf:
            return  # it says nothing, or nonsense
        if latency_s is not None and not 0 <= latency_s < inf:
            latency_s = None
        failures: Failures = node.load.failures
        if failures.count:
            fresh = failures.fade(now, self._policy.measure.failure_s)
            in_flight += fresh
            latency_s = None if latency_s is None else latency_s * (1 + fresh)
        uses = self._reuse
        if uses != 1.0:  # a fraction is rounded at random
            uses = int(uses) + (self._random() < uses % 1)
        pool = self.pool
        if node in pool:
            del pool[node]
        elif len(pool) >= self._policy.pool:
            del pool[next(iter(pool))]
        pool[node] = ProbeResponse(node, in_flight, latency_s, now, uses)

    def pick(self, now: float, key: bytes | None) -> Node:
        self._owe()
        pool = self.pool
        too_old_s = now - self._max_age_s
        while pool:
            oldest = next(iter(pool.values()))
            if oldest.at_s >= too_old_s:
                break
            del pool[oldest.node]
        if len(pool) < 2:
            return self._nodes[int(self._random() * len(self._nodes))]
        answers = list(pool.values())
        limit = threshold([answer.in_flight for answer in answers], self._policy.hot_quantile)
        best = coldest(answers, limit)
        best.in_flight += 1
        best.uses -= 1
        if best.uses <= 0:
            del pool[best.node]
        removing = self._removing + self._policy.removals
        while removing >= 1:
            removing -= 1
            if pool:
                self._remove(limit)
        self._removing = removing
        return best.node

    def _remove(self, limit: float) -> None:
        pool = self.pool
        if self._oldest_next:
            del pool[next(iter(pool))]
        else:
            del pool[_worst(pool.values(), limit).node]
        self._oldest_next = not self._oldest_next


class EveryReplica:
    """Picks by the last answer of each server; for so few that they can all be asked."""

    __slots__ = ("_answers", "_nodes", "_owe", "_policy", "_random", "probes")

    def __init__(self, nodes: Sequence[Node], policy: Prequal, random: Random) -> None:
        asking = Asking(nodes, policy.probes, random)
        self.probes = asking.probes
        self._owe = asking.owe
        self._nodes = nodes
        self._policy = policy
        self._random = random
        self._answers = [ProbeResponse(node, 0.0, None, 0.0, 0) for node in nodes]
        random.shuffle(self._answers)

    def probed(self, node: Node, report: LoadReport, now: float) -> None:
        """The newest counts."""
        told: Told = node.load
        told.take(node, report, now)

    def pick(self, now: float, key: bytes | None) -> Node:
        self._owe()
        policy = self._policy
        fresh: list[ProbeResponse] = []
        for answer in self._answers:
            node = answer.node
            told: Told = node.load
            if told.told(now, policy.max_age_s):
                failures = _failures(node, policy, now)
                answer.in_flight = told.in_flight + node.picked - told.picked + failures
                latency_s = told.latency_s
                answer.latency_s = None if latency_s is None else latency_s * (1 + failures)
                fresh.append(answer)
        if len(fresh) < 2:
            return self._nodes[int(self._random.random() * len(self._nodes))]
        limit = threshold([answer.in_flight for answer in fresh], policy.hot_quantile)
        return coldest(fresh, limit).node


def threshold(in_flight: Sequence[float], quantile: float) -> float:
    """Above how many requests in flight a server is hot; two or more are given.

    The exact quantile, but never the highest: of three, .84 is the third, and nobody would be hot.
    """
    rank = min(ceil(quantile * len(in_flight)), len(in_flight) - 1)
    return sorted(in_flight)[rank - 1] if rank else -1.0


def coldest(answers: Collection[ProbeResponse], limit: float) -> ProbeResponse:
    """The cold one of least latency, or of all hot ones the one with least in flight.

    Of equal latency, the one with less in flight. A latency that isn't told counts as the mean of
    those that are.
    """
    best: ProbeResponse | None = None
    least = untold = inf
    for answer in answers:
        if answer.in_flight <= limit:
            latency_s = answer.latency_s
            if latency_s is None:
                if untold == inf:
                    untold = _mean_latency_s(answers)
                latency_s = untold
            if latency_s < least or (
                latency_s == least and best is not None and answer.in_flight < best.in_flight
            ):
                best, least = answer, latency_s
    return best or min(answers, key=_in_flight)


def _worst(answers: Collection[ProbeResponse], limit: float) -> ProbeResponse:
    """The hot one with most in flight, or of all cold ones the slowest."""
    hot = [answer for answer in answers if answer.in_flight > limit]
    if hot:
        return max(hot, key=_in_flight)
    return max(answers, key=lambda answer: answer.latency_s or 0.0)


def _mean_latency_s(answers: Collection[ProbeResponse]) -> float:
    told = [answer.latency_s for answer in answers if answer.latency_s is not None]
    return sum(told) / len(told) if told else 0.0


_in_flight = attrgetter("in_flight")


def _failures(node: Node, policy: Prequal, now: float) -> float:
    failures: Failures = node.load.failures
    return failures.fade(now, policy.measure.failure_s) if failures.count else 0.0
