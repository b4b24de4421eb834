"""Trust, by how requests end: ejected after failures in a row, tried again after a while.

    well ─ failures in a row ─▶ ejected ─ time is over ─▶ on probation ─ a request succeeds ─▶ well
                                   ▲                               │
                                   └── for twice as long ── fails ─┘

Failures in a row and not a rate: three servers that get a few requests a second never reach the
volumes that published outlier detectors wait for (gRPC A50: 5 hosts, 50 to 100 requests in 10 s).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from storagebox.balance.health import Assessment
from storagebox.balance.node import Node
from storagebox.balance.outcome import Outcome


@dataclass(slots=True)
class _State:
    failures: int = 0
    """In a row, since the last success."""
    ejected_until_s: float = -inf
    ejections: int = 0
    """How often without having been well for long: each doubles the time."""
    trusted_s: float = -inf
    """Since when it has been well; slow start counts from there."""

    @property
    def ejected(self) -> bool:
        return self.ejections > 0


@dataclass(frozen=True, slots=True)
class Trust:
    """Passive health.

    Args:
        failures: so many in a row that blame the server eject it.
        ejection_s: how long the first time; twice as long each further time without a success
            between.
        max_ejection_s: never longer than this.
        slow_start_s: over how long a server that has recovered, or joined later, grows from a
            tenth of its weight to all of it; 0: at once. The first membership never starts slowly:
            everybody is new there.
        panic_share: if no more than this share of the servers is well, all are chosen from. The
            default, 0, panics only when nobody is well: with three servers, a panic at a half
            would send two thirds of the requests to the dead.
    """

    failures: int = 3
    ejection_s: float = 1.0
    max_ejection_s: float = 30.0
    slow_start_s: float = 10.0
    panic_share: float = 0.0

    def joined(self, node: Node, now: float, *, first: bool) -> None:
        node.health = _State(trusted_s=-inf if first else now)

    def began(self, node: Node, now: float, *, probe: bool) -> None:
        pass

    def ended(self, node: Node, outcome: Outcome, now: float, *, probe: bool) -> bool:
        state: _State = node.health
        if outcome is Outcome.SUCCESS:
            state.failures = 0
            if not probe or not state.ejected:
                return False
            state.ejections = 0
            state.trusted_s = now
            return True
        if not outcome.blames_server:
            return False
        state.failures += 1
        if state.ejected and not probe:
            return False  # sent before it was ejected, or in a panic
        if state.failures < self.failures and not probe:
            return False
        state.ejections += 1
        state.ejected_until_s = now + min(
            self.max_ejection_s, self.ejection_s * 2 ** (state.ejections - 1)
        )
        return True

    def assess(self, nodes: Sequence[Node], now: float) -> Assessment:
        usable = [node for node in nodes if node.endpoint.weight != 0]
        again_s = inf
        well: list[Node] = []
        probation: list[Node] = []
        for node in usable:
            state: _State = node.health
            node.weight = node.endpoint.weight
            if state.ejected:
                if now >= state.ejected_until_s:
                    probation.append(node)
                else:
                    again_s = min(again_s, state.ejected_until_s)
            elif node.endpoint.ready:
                well.append(node)
        if len(well) <= self.panic_share * len(usable):
            return Assessment(tuple(usable), (), panic=True, again_s=again_s)
        return Assessment(tuple(well), tuple(probation), panic=False, again_s=again_s)

    def why(self, node: Node, now: float) -> str:
        state: _State = node.health
        if node.endpoint.weight == 0:
            return "drains"
        if state.ejected:
            if now >= state.ejected_until_s:
                return "on probation"
            left_s = state.ejected_until_s - now
            return f"ejected for {left_s:.1f} s more: {state.failures} failures in a row"
        return "well" if node.endpoint.ready else "its registry says it isn't well"
