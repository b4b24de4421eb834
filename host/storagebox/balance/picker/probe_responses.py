"""What servers have answered to probes: a pool of a few.

A pick compares one figure of all answers, then another, so each figure has a list of its own:
sorting sixteen numbers takes a fifth of the time that a loop over sixteen objects does.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from storagebox.balance.load.reported import Told
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport


class ProbeResponses:
    """What different servers answered, in lists of one order: the oldest is the first.

    Args:
        size: how many are kept.
        uses: for how many picks each is good; a fraction holds on average.
        failure_s: a failure counts as a request in flight and fades to 1/e over so long.
    """

    __slots__ = (
        "_all_tell",
        "_failure_s",
        "_here",
        "_size",
        "_uses",
        "about",
        "latencies_s",
        "loads",
    )

    def __init__(self, size: int, uses: float, failure_s: float) -> None:
        self.about: list[tuple[Node, float, float]] = []
        """Whose it is, when it came, and for how many more picks it is good."""
        self.loads: list[float] = []
        """Requests in flight there: then, and picks since."""
        self.latencies_s: list[float] = []
        """What a request takes there; `inf` where that isn't told."""
        self._size = size
        self._uses = uses
        self._failure_s = failure_s
        self._here: set[Node] = set()
        self._all_tell = True

    def take(self, node: Node, report: LoadReport, now: float) -> None:
        """It replaces an earlier one of that server, or the oldest if there is no room."""
        load: float | None = report.in_flight
        latency_s = report.latency_s
        if load is None or not 0 <= load < inf:
            return  # it says nothing, or nonsense
        if latency_s is None or not 0 <= latency_s < inf:
            latency_s = inf
            self._all_tell = False
        if node.failed:
            told: Told = node.load
            failures = told.failing(now, self._failure_s)
            load += failures
            latency_s *= 1 + failures
        if node in self._here:
            self.drop(next(at for at, about in enumerate(self.about) if about[0] is node))
        elif len(self.about) >= self._size:
            self.drop(0)
        self._here.add(node)
        self.about.append((node, now, self._uses))
        self.loads.append(load)
        self.latencies_s.append(latency_s)

    def drop(self, at: int) -> None:
        """It informs no pick any more."""
        self._here.remove(self.about.pop(at)[0])
        del self.loads[at], self.latencies_s[at]

    def adopt(self, earlier: ProbeResponses, nodes: Sequence[Node]) -> None:
        """Go on with those earlier answers that are of these servers; it has none yet."""
        here = set(nodes)
        for about, load, latency_s in zip(
            earlier.about, earlier.loads, earlier.latencies_s, strict=True
        ):
            if about[0] in here:
                self._here.add(about[0])
                self.about.append(about)
                self.loads.append(load)
                self.latencies_s.append(latency_s)
        self._all_tell = inf not in self.latencies_s

    def coldest(self, limit: float) -> int:
        """Which to pick by, as the function says."""
        if self._all_tell:
            return coldest(self.loads, self.latencies_s, limit)
        self._all_tell = inf not in self.latencies_s
        return coldest(self.loads, supposed(self.latencies_s), limit)

    def worst(self, limit: float) -> int:
        """The hot one with most in flight, or of all cold ones the slowest that has told."""
        most = max(self.loads)
        if most > limit:
            return self.loads.index(most)
        if self._all_tell:
            return self.latencies_s.index(max(self.latencies_s))
        told_s = [latency_s if latency_s < inf else 0.0 for latency_s in self.latencies_s]
        return told_s.index(max(told_s))


def coldest(loads: Sequence[float], latencies_s: Sequence[float], limit: float) -> int:
    """The cold one of least latency, or of all hot ones the one with least in flight.

    Cold are those with at most `limit` in flight. Of equal latency it is the one with less in
    flight. There are two or more.
    """
    fastest_s, second_s = sorted(latencies_s)[:2]
    best = at = latencies_s.index(fastest_s)
    if second_s == fastest_s:
        for _ in range(latencies_s.count(fastest_s) - 1):
            at = latencies_s.index(fastest_s, at + 1)
            if loads[at] < loads[best]:
                best = at
    if loads[best] <= limit:
        return best
    cold = [at for at, load in enumerate(loads) if load <= limit]
    if not cold:
        return loads.index(min(loads))
    return min(cold, key=lambda at: (latencies_s[at], loads[at]))


def supposed(latencies_s: Sequence[float]) -> list[float]:
    """A latency that isn't told counts as the mean of those that are."""
    told_s = [latency_s for latency_s in latencies_s if latency_s < inf]
    mean_s = sum(told_s) / len(told_s) if told_s else 0.0
    return [latency_s if latency_s < inf else mean_s for latency_s in latencies_s]
