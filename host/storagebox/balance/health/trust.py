"""Trust: all that is known of each server, joined into who is chosen and how much.

Chosen is who doesn't drain, whose registry calls it ready, whose checks don't fail and who isn't
ejected. Its weight is the endpoint's, times the shares that slow start, overload and degradation
leave of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.health import Assessment
from storagebox.balance.health.checks import Finding, Verdict
from storagebox.balance.health.ejection import Ejection, Record
from storagebox.balance.health.overload import Overload, Pressure
from storagebox.balance.health.panic import Objection, given_up
from storagebox.balance.health.slow_start import SlowStart
from storagebox.balance.health.window import Window
from storagebox.balance.node import Node
from storagebox.balance.outcome import LoadReport, Outcome

OVERLOAD_NOTED_S = 0.05
"""How soon a lower weight must count. Not at once: where many servers shed load, each answer would
make a new picker."""


@dataclass(slots=True)
class _State:
    """A part for each input; only that input's events change it."""

    record: Record
    random: Random
    pressure: Pressure = field(default_factory=Pressure)
    finding: Finding = field(default_factory=Finding)
    new_s: float = -inf
    """When it came, or came back by its registry's word: joined, ready, undrained."""
    passing_s: float = -inf
    """When checks last found it well that had failed."""

    @property
    def well_since_s(self) -> float:
        return max(self.new_s, self.passing_s, self.record.since_s)


def _hearsay(node: Node, state: _State) -> Objection:
    """What others than requests say against it."""
    if state.finding.verdict is Verdict.FAILING:
        return Objection.CHECKS
    return Objection.NONE if node.endpoint.ready else Objection.REGISTRY


def _counts_as(verdict: Verdict) -> Verdict:
    """Who hasn't been checked yet is taken for well."""
    return Verdict.WELL if verdict is Verdict.UNKNOWN else verdict


@dataclass(slots=True, eq=False)
class Trust:
    """The health of one balancer's servers. Each balancer needs one of its own.

    Args:
        ejection: by how requests end.
        slow_start: of who came later or came back.
        overload: of who says "not now".
        panic_share: if no more than this share of the servers is well, health is disregarded step
            by step (`panic`). The default, 0, does so only when nobody is well: with three
            servers, Envoy's 50 % would send two thirds of the requests to the dead.
        degraded_share: what a degraded server keeps of its weight; Criteo's templates give a
            warning instance an eighth.
        checks_reinstate: a check that passes ends an ejection whose time is over, instead of a
            request. Off, since a check that doesn't take the path of requests may bring back a
            server that fails all of them (Envoy, `outlier.rst`).
    """

    ejection: Ejection = field(default_factory=Ejection)
    slow_start: SlowStart = field(default_factory=SlowStart)
    overload: Overload = field(default_factory=Overload)
    panic_share: float = 0.0
    degraded_share: float = 1 / 8
    checks_reinstate: bool = False
    _everybody: Window = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not (0 <= self.panic_share < 1 and 0 < self.degraded_share <= 1):
            raise ValueError("trust: panic_share is within [0, 1), degraded_share within (0, 1]")
        self._everybody = Window(self.ejection.window_s)

    # What happens

    def joined(self, node: Node, now: float, random: Random, *, first: bool) -> None:
        node.health = _State(self.ejection.fresh(), random, new_s=-inf if first else now)

    def left(self, node: Node) -> None:
        self.ejection.left_out(node.health.record, self._everybody)

    def changed(self, node: Node, previous: Endpoint, now: float) -> None:
        state: _State = node.health
        endpoint = node.endpoint
        if (endpoint.ready and not previous.ready) or (endpoint.weight and not previous.weight):
            state.new_s = now

    def checked(self, node: Node, finding: Finding, now: float) -> bool:
        state: _State = node.health
        before, state.finding = state.finding.verdict, finding
        changed = _counts_as(before) is not _counts_as(finding.verdict)
        if finding.verdict in (Verdict.WELL, Verdict.DEGRADED):
            if before is Verdict.FAILING:
                state.passing_s = now
                self.ejection.try_now(state.record, now)
            if self.checks_reinstate and state.record.ejected and now >= state.record.until_s:
                self.ejection.recover(state.record, now)
                changed = True
        return changed

    def began(self, node: Node, now: float, *, trial: bool) -> bool:
        if trial:
            state: _State = node.health
            state.record.trial_s = now
        return trial

    def outpaced(self, node: Node, began_s: float, now: float, *, trial: bool) -> bool:
        state: _State = node.health
        return self.ejection.outpace(
            state.record, self._everybody, began_s, now, trial=trial, random=state.random
        )

    def ended(
        self,
        node: Node,
        outcome: Outcome,
        began_s: float,
        now: float,
        *,
        trial: bool,
        report: LoadReport | None,
    ) -> float:
        state: _State = node.health
        if outcome is Outcome.OVERLOADED:
            retry_after_s = None if report is None else report.retry_after_s
            halved = self.overload.turned_away(state.pressure, began_s, now, retry_after_s)
            if halved and not trial:
                return now + OVERLOAD_NOTED_S
        changed = self.ejection.ended(
            state.record,
            self._everybody,
            outcome,
            began_s,
            now,
            trial=trial,
            random=state.random,
        )
        return now if changed else inf

    # What follows

    def assess(self, nodes: Sequence[Node], now: float) -> Assessment:
        usable = [node for node in nodes if node.endpoint.weight != 0]
        states: list[_State] = [node.health for node in usable]
        out = self.ejection.out([state.record for state in states])
        against: list[int] = []
        probation: list[Node] = []
        overdue: list[Node] = []
        again_s = inf
        for at, (node, state) in enumerate(zip(usable, states, strict=True)):
            objection = _hearsay(node, state)
            if at in out:
                if objection is Objection.NONE:
                    may, ask_s = self.ejection.may_try(state.record, now)
                    if may:
                        probation.append(node)
                        ask_s = self.ejection.overdue_s(state.record)
                        if now >= ask_s:
                            overdue.append(node)
                            ask_s = inf
                    again_s = min(again_s, ask_s)
                objection = Objection.REQUESTS
            against.append(objection)
        limit = given_up(against, self.panic_share)
        chosen = [node for node, each in zip(usable, against, strict=True) if each <= limit]
        if limit >= Objection.REQUESTS:
            probation, overdue, again_s = [], [], inf  # all are tried anyway
        return Assessment(
            tuple(chosen),
            tuple(probation),
            panic=limit > Objection.NONE,
            again_s=min(again_s, self._weigh(chosen, now)),
            overdue=tuple(overdue),
        )

    def _weigh(self, nodes: Sequence[Node], now: float) -> float:
        """Set what pickers use; returns when that changes next.

        A weight that nobody knows counts as the mean of those that are known. It stays unknown
        until a share is taken from somebody, for then it needs a number.
        """
        shares: list[float] = []
        again_s = inf
        for node in nodes:
            state: _State = node.health
            grown, grows_s = self.slow_start.share(state.well_since_s, now)
            spared, eases_s = self.overload.share(state.pressure, now)
            if state.finding.verdict is Verdict.DEGRADED:
                spared *= self.degraded_share
            shares.append(grown * spared)
            again_s = min(again_s, grows_s, eases_s)
        known = [node.endpoint.weight for node in nodes if node.endpoint.weight is not None]
        unknown = sum(known) / len(known) if known else 1.0
        equal = min(shares, default=1.0) == 1.0
        for node, share in zip(nodes, shares, strict=True):
            weight = node.endpoint.weight
            node.weight = weight if equal else (unknown if weight is None else weight) * share
        return again_s

    # For people

    def why(self, node: Node, now: float) -> str:
        state: _State = node.health
        record = state.record
        if node.endpoint.weight == 0:
            return "drains"
        if not node.endpoint.ready:
            return "its registry says it isn't well"
        if state.finding.verdict is Verdict.FAILING:
            return f"checks fail: {state.finding.told}" if state.finding.told else "checks fail"
        if record.ejected:
            if now >= record.until_s:
                return f"on probation: {record.why}"
            return f"ejected for {record.until_s - now:.1f} s more: {record.why}"
        share, _ = self.overload.share(state.pressure, now)
        if share < 1:
            return f"overloaded: gets {share:.0%}"
        if state.finding.verdict is Verdict.DEGRADED:
            return f"degraded: gets {self.degraded_share:.0%}"
        share, _ = self.slow_start.share(state.well_since_s, now)
        return f"well, starting slowly: gets {share:.0%}" if share < 1 else "well"
