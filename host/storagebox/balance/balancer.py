"""The balancer: endpoints in, one endpoint a request out.

    balancer = Balancer(RoundRobin())
    balancer.update([Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80)], now)
    pick = balancer.pick(now)
    ... send the request to pick.endpoint ...
    pick.done(Outcome.SUCCESS, now)

It holds no socket, reads no clock and starts no task: resolvers, checks and transports bring those
(`running`). It may be used from several threads.
"""

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from random import Random

from storagebox.balance.endpoint import Endpoint, distinct
from storagebox.balance.health import Assessment, Health
from storagebox.balance.health.checks import Finding
from storagebox.balance.health.trust import Trust
from storagebox.balance.node import Node
from storagebox.balance.observing import SILENT, Observer
from storagebox.balance.outcome import LoadReport, Outcome
from storagebox.balance.picker import Picker, Policy, Prober


class NoEndpoint(Exception):
    """There is nobody to send a request to."""


class Pick:
    """One choice. Call `done` once the answer's body has been read or dropped, however it went."""

    __slots__ = (
        "_balancer",
        "answered_s",
        "began_s",
        "endpoint",
        "node",
        "open",
        "overtaken",
        "reason",
    )

    def __init__(self, balancer: "Balancer", node: Node, now: float, reason: str) -> None:
        self.endpoint = node.endpoint
        self.reason = reason
        """`policy`, `probation` (it was ejected and is on trial), `panic`, or `retry`."""
        self.node = node
        self.began_s = now
        self.answered_s: float | None = None
        self.open = True
        self.overtaken = False
        """A hedge was answered first; nobody waits for this one any more."""
        self._balancer = balancer

    def answered(self, now: float) -> None:
        """The answer has begun to come. Latency is counted up to here, and to the end where nobody
        says this: how long a client takes to read a body is no measure of its server."""
        self._balancer._answered(self, now)  # pyright: ignore[reportPrivateUsage]

    def outpaced(self, now: float) -> None:
        """A hedge, sent later to another server, has been answered first. `done` is still due."""
        self._balancer._outpaced(self, now)  # pyright: ignore[reportPrivateUsage]

    def done(self, outcome: Outcome, now: float, report: LoadReport | None = None) -> None:
        """The request has ended. Later calls change nothing: whoever notices an end may say so."""
        self._balancer._done(self, outcome, now, report)  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one server stands with this client, for people to read (`phantom status`)."""

    endpoint: Endpoint
    state: str
    eligible: bool
    weight: float | None
    in_flight: int
    picked: int
    failed: int


class Balancer:
    """Spreads requests over a membership that changes.

    Args:
        policy: how to choose.
        health: who may be chosen; `Trust()` with its defaults if left out.
        random: the client's own source of chance; one seeded by the system if left out.
        observer: is told of every pick and its end, for metrics.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        health: Health | None = None,
        random: Random | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self.policy = policy
        self._health: Health = health or Trust()
        self._random = random or Random()
        self._observer = observer
        self._lock = threading.Lock()
        self._nodes: dict[str, Node] = {}
        self._assessment = Assessment((), (), panic=False, again_s=inf)
        self._picker: Picker | None = None
        self._prober: Prober | None = None
        self._drawn: tuple[tuple[Node, float | None], ...] = ()
        self._assess_s = inf
        self._again_s = inf
        self._latest_s = -inf

    # Membership

    def update(self, endpoints: Iterable[Endpoint], now: float) -> None:
        """The membership is now this. Servers that stay keep what is known of them.

        Who stays has the same id at the same address. An id at another address is another machine,
        or at least another process with cold caches: nothing is known of its load, its latency or
        its health, and it starts as one that has just come.

        Requests to one that has left go on; its observer hears of their ends, and nobody else.
        """
        with self._lock:
            now = self._monotonic(now)
            first = not self._nodes
            nodes: dict[str, Node] = {}
            for endpoint in distinct(endpoints):
                node = self._nodes.get(endpoint.id)
                if node is None or node.endpoint.address != endpoint.address:
                    node = Node(endpoint)
                    if self.policy.measure is not None:
                        node.load = self.policy.measure.fresh(now)
                    self._health.joined(node, now, self._random, first=first)
                elif node.endpoint != endpoint:
                    previous, node.endpoint = node.endpoint, endpoint
                    self._health.changed(node, previous, now)
                nodes[endpoint.id] = node
            gone = [node for id_, node in self._nodes.items() if nodes.get(id_) is not node]
            for node in gone:
                self._health.left(node)
            self._nodes = nodes
            self._assess(now)
        self._observer.membership(tuple(nodes.values()), tuple(gone))

    def closed(self) -> None:
        """Nobody will use it any more: its observer may forget it."""
        self._observer.closed()

    @property
    def size(self) -> int:
        """How many servers the membership has."""
        return len(self._nodes)

    # Requests

    def pick(
        self,
        now: float,
        key: bytes | None = None,
        tried: Collection[str] = (),
        *,
        safe: bool = True,
    ) -> Pick:
        """A server for one request.

        Args:
            now: monotonic seconds.
            key: what the request is about, where the policy keeps keys at servers.
            tried: ids of endpoints this request has failed at; chosen again only if there is no
                other.
            safe: it may be sent again elsewhere if it fails, so it may also try a server on
                probation. Others do only if nobody has for long.

        Raises:
            NoEndpoint: the membership is empty, or every server in it drains.
        """
        with self._lock:
            now = self._monotonic(now)
            if now >= self._again_s:
                self._renew(now)
            node, reason = self._choose(now, key, tried, safe)
            node.began(now)
            if self._health.began(node, now, trial=reason == "probation"):
                self._assess(now)
        self._observer.picked(node, reason)
        return Pick(self, node, now, reason)

    def _choose(
        self, now: float, key: bytes | None, tried: Collection[str], safe: bool
    ) -> tuple[Node, str]:
        on_trial = self._assessment.probation if safe else self._assessment.overdue
        if on_trial and not tried:
            return on_trial[0], "probation"
        if self._picker is None:
            raise NoEndpoint(self._nobody())
        node = self._picker.pick(now, key)
        if tried and node.endpoint.id in tried:
            others = [
                other for other in self._assessment.eligible if other.endpoint.id not in tried
            ]
            if others:
                return self._least(others), "retry"
        if tried:
            return node, "retry"
        return node, "panic" if self._assessment.panic else "policy"

    def _least(self, nodes: Sequence[Node]) -> Node:
        """Any of those with the fewest requests: the same one of all for every client that has a
        server to avoid would be the next to fail."""
        draw = self._random.random
        return min(nodes, key=lambda node: (node.in_flight / (node.weight or 1), draw()))

    def _nobody(self) -> str:
        if not self._nodes:
            return (
                "no endpoint: the membership is empty; see whether the resolver finds the service"
            )
        return f"no endpoint: all {len(self._nodes)} servers drain (weight 0); give one a weight"

    def _answered(self, pick: Pick, now: float) -> None:
        with self._lock:
            if pick.open and pick.answered_s is None:
                pick.node.answered(self._monotonic(now))
            pick.answered_s = now

    def _outpaced(self, pick: Pick, now: float) -> None:
        with self._lock:
            if not pick.open or pick.answered_s is not None:
                return
            pick.overtaken = True
            now = self._monotonic(now)
            trial = pick.reason == "probation"
            if self._health.outpaced(pick.node, pick.began_s, now, trial=trial):
                self._assess(now)

    def _done(self, pick: Pick, outcome: Outcome, now: float, report: LoadReport | None) -> None:
        node = pick.node
        with self._lock:
            if not pick.open:
                return
            pick.open = False
            now = self._monotonic(now)
            ended_s = now if pick.answered_s is None else pick.answered_s
            latency_s = max(0.0, ended_s - pick.began_s)  # NaN is no time either
            node.in_flight -= 1
            if pick.answered_s is None:
                if outcome is Outcome.SUCCESS:
                    node.answered(now)
                else:
                    node.unanswered -= 1
            if outcome.blames_server:
                node.failed += 1
            if self._nodes.get(node.endpoint.id) is node:
                self._learn(pick, outcome, latency_s, now, report)
        self._observer.done(node, pick.reason, outcome, latency_s)

    def _learn(
        self, pick: Pick, outcome: Outcome, latency_s: float, now: float, report: LoadReport | None
    ) -> None:
        """What the end of a request tells of a server that is still there."""
        node = pick.node
        if self.policy.measure is not None:
            self.policy.measure.ended(node, latency_s, outcome, report, now)
        trial = pick.reason == "probation"
        assess_s = self._health.ended(node, outcome, pick.began_s, now, trial=trial, report=report)
        self._assess_s = min(self._assess_s, assess_s)
        self._again_s = min(self._again_s, assess_s)
        if now >= self._again_s:
            self._renew(now)

    # Load probes, which some policies want

    def probes(self, now: float) -> list[Endpoint]:
        """Whom to ask now how they are; mostly nobody. To be asked for after each pick.

        Send them while the request goes its own way, and hand over what they answer to `probed`.
        """
        prober = self._prober
        if prober is None:
            return []
        with self._lock:
            return [node.endpoint for node in prober.probes(self._monotonic(now))]

    def probed(self, endpoint: Endpoint, report: LoadReport, now: float) -> None:
        """A server has answered a load probe. One that doesn't in time is simply not told of."""
        with self._lock:
            node = self._nodes.get(endpoint.id)
            if node is not None and self._prober is not None:
                self._prober.probed(node, report, self._monotonic(now))

    # What is derived

    def checked(self, id_: str, finding: Finding, now: float) -> None:
        """An active check has found this of the server; one that has left is nobody's matter."""
        with self._lock:
            node = self._nodes.get(id_)
            if node is not None:
                now = self._monotonic(now)
                if self._health.checked(node, finding, now):
                    self._assess(now)

    def refresh(self, now: float) -> None:
        """Assess anew: something outside has learnt of a server's health."""
        with self._lock:
            self._assess(self._monotonic(now))

    def _renew(self, now: float) -> None:
        """Something is due: what is known of the servers' health has aged, or the picker has."""
        if now >= self._assess_s:
            self._assess(now)
        else:
            self._draw(now)

    def _assess(self, now: float) -> None:
        self._assessment = self._health.assess(tuple(self._nodes.values()), now)
        self._assess_s = self._assessment.again_s
        drawn = tuple((node, node.weight) for node in self._assessment.eligible)
        if drawn != self._drawn or self.policy.refresh_s is not None:
            self._drawn = drawn
            self._draw(now)
        else:
            self._again_s = self._assess_s

    def _draw(self, now: float) -> None:
        """A new picker of the same servers, or of others."""
        eligible, refresh_s = self._assessment.eligible, self.policy.refresh_s
        self._picker = (
            self.policy.picker(eligible, self._picker, self._random, now) if eligible else None
        )
        self._prober = self._picker if isinstance(self._picker, Prober) else None
        self._again_s = min(self._assess_s, inf if refresh_s is None else now + refresh_s)

    def _monotonic(self, now: float) -> float:
        """Time as the policies see it: a clock that goes back stands still, and what is no
        finite number is no time."""
        if self._latest_s < now < inf:
            self._latest_s = now
        return self._latest_s if self._latest_s > -inf else 0.0

    # For people

    def standings(self, now: float) -> list[Standing]:
        """Every server of the membership with its state, in the order of ids."""
        with self._lock:
            eligible = set(map(id, self._assessment.eligible))
            return [
                Standing(
                    endpoint=node.endpoint,
                    state=self._health.why(node, now),
                    eligible=id(node) in eligible,
                    weight=node.weight,
                    in_flight=node.in_flight,
                    picked=node.picked,
                    failed=node.failed,
                )
                for node in self._nodes.values()
            ]
