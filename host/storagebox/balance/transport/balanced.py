"""What a synchronous and an asynchronous transport have in common: all but waiting."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Generic, TypeVar

import httpx

from storagebox.balance.balancer import Balancer, NoEndpoint, Pick
from storagebox.balance.endpoint import Endpoint
from storagebox.balance.health import Health
from storagebox.balance.health.checking import Checks
from storagebox.balance.node import Node
from storagebox.balance.observing import Observer
from storagebox.balance.outcome import LoadReport, Outcome
from storagebox.balance.picker import Policy
from storagebox.balance.resolver import Resolver
from storagebox.balance.resolver.static import Static
from storagebox.balance.retry.pushback import said_by
from storagebox.balance.retry.rules import outcome_of
from storagebox.balance.transport.attempts import Attempts, Settings
from storagebox.balance.transport.bodies import Check, is_small
from storagebox.balance.transport.channels import Answer
from storagebox.balance.transport.faults import as_httpx, outcome_of_error
from storagebox.balance.transport.hedges import Hedges
from storagebox.balance.transport.outgoing import extensions_of
from storagebox.balance.transport.pools import Pool, Pools

C = TypeVar("C")

Key = Callable[[httpx.Request], bytes | None]
"""What a request is about, for policies that keep a key at one server."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who answered: `response.extensions["chosen"]`."""

    endpoint: Endpoint
    reason: str
    attempts: int


@dataclass(slots=True)
class Ended:
    """How one attempt ended, headers and all: with a response, or with an error."""

    pick: Pick
    response: httpx.Response | None = None
    error: Exception | None = None

    @property
    def outcome(self) -> Outcome:
        if self.response is not None:
            return outcome_of(self.response.status_code)
        return Outcome.CANCELLED if self.error is None else outcome_of_error(self.error)

    @property
    def status(self) -> int | None:
        return None if self.response is None else self.response.status_code

    @property
    def what(self) -> str:
        return str(self.status) if self.error is None else type(self.error).__name__


class Balanced(Generic[C]):
    """The balancer, connections and clock of a transport, and what each request does to them.

    Args:
        policy, health, random, observer: as `Balancer` takes them.
        settings: retries, hedges, deadline.
        pools: makes a channel for each endpoint.
        key: what a request is about; `None`: nothing.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        policy: Policy,
        health: Health | None,
        settings: Settings,
        pools: Pools[C],
        *,
        key: Key | None,
        random: Random | None,
        observer: Observer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pools = pools
        self.settings = settings
        self.clock = clock
        self.balancer = Balancer(
            policy, health=health, random=random, observer=_Also(observer, pools.left)
        )
        self._key = key
        self._owner: object = None
        self.hedges = Hedges(self.balancer, settings.hedging)

    def belongs_to(self, owner: object) -> None:
        """Note, at the first request, the process or event loop that sends it.

        Raises:
            RuntimeError: it is another one than before. The connections and whatever keeps the
                membership up to date are the first one's; here they would silently be of no use.
        """
        if self._owner is None:
            self._owner = owner
        elif self._owner != owner:
            raise RuntimeError(
                "this transport has been used in another event loop, or before a fork in another"
                " process: make one for each"
            )

    def knows_all(self, resolver: Resolver, checks: Checks | None) -> bool:
        """Take over servers that somebody wrote down. True if nothing must run to follow them."""
        if not isinstance(resolver, Static):
            return False
        self.balancer.update(resolver.endpoints, self.clock())
        return checks is None

    def attempts(self, request: httpx.Request) -> Attempts:
        """The attempts of a new request."""
        return Attempts(
            self.balancer,
            self.settings,
            request.method,
            request.extensions,
            replayable=isinstance(request.stream, httpx.ByteStream),
            key=None if self._key is None else self._key(request),
            now=self.clock(),
        )

    def pick(self, attempts: Attempts) -> Pick:
        """Whom the next attempt goes to.

        Raises:
            httpx.ConnectError: there is nobody; users of httpx expect no other exception.
            httpx.ConnectTimeout: the deadline is over, which is nobody's fault here.
        """
        now = self.clock()
        try:
            if attempts.expired(now):
                raise httpx.ConnectTimeout("the deadline passed before the request was sent")
            return attempts.pick(now)
        except NoEndpoint as nobody:
            raise self.error(httpx.ConnectError(str(nobody)), attempts) from nobody

    def extensions(self, request: httpx.Request, attempts: Attempts) -> dict[str, Any]:
        """The extensions of one attempt."""
        if attempts.deadline_at_s is None:
            return extensions_of(request, None)
        given = request.extensions.get("timeout", {})
        return extensions_of(request, attempts.timeouts(given, self.clock()))

    def heard(self, endpoint: Endpoint, report: LoadReport | None) -> None:
        """A server has answered a probe."""
        if report is not None:
            self.balancer.probed(endpoint, report, self.clock())

    def failed(self, pick: Pick, pool: Pool[C] | None, outcome: Outcome) -> None:
        """An attempt ended before there was an answer."""
        if pool is not None:
            self.pools.give(pool)
        pick.done(outcome, self.clock())

    def reads_ahead(self, answer: Answer, attempts: Attempts) -> bool:
        """Whether to read the body before the program does, to be able to repeat the request."""
        return attempts.repeatable and is_small(answer.headers)

    def check(self, attempts: Attempts) -> Check | None:
        """What raises once the deadline is over; `None` if there is none."""
        if attempts.deadline_at_s is None:
            return None

        def check() -> None:
            if attempts.expired(self.clock()):
                raise httpx.ReadTimeout("the deadline passed while the body was read")

        return check

    def response(
        self,
        pick: Pick,
        pool: Pool[C],
        answer: Answer,
        attempts: Attempts,
        body: Callable[..., Any],
    ) -> httpx.Response:
        """What the program gets. The request is done once it has closed the response's stream."""
        now = self.clock()
        pick.answered(now)
        self.hedges.answered(pick, now)
        counted, report = said_by(answer.status, answer.headers)

        def end(outcome: Outcome | None) -> None:
            if pick.open:
                self.pools.give(pool)
                pick.done(counted if outcome is None else outcome, self.clock(), report)

        answer.extensions["chosen"] = Chosen(pick.endpoint, pick.reason, attempts.number)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=body(answer.stream, end, self.check(attempts)),
            extensions=answer.extensions,
        )

    def again(self, ended: Ended, attempts: Attempts) -> bool:
        """Whether the request, having ended so, is to be sent once more."""
        outcome = ended.outcome
        if outcome is Outcome.SUCCESS or self.pools.closed:
            return False
        return attempts.again(ended.pick, outcome, ended.status, ended.what, self.clock())

    def outpacing(self, best: Ended, attempts: Attempts) -> None:
        """Of attempts beside each other this good one counts."""
        attempts.outpacing(best.pick, self.clock())

    def hedge_after_s(self, attempts: Attempts) -> float | None:
        """How long to wait before another endpoint is asked besides; `None`: for ever."""
        return self.hedges.after_s(attempts, self.clock())

    def may_hedge_now(self) -> bool:
        """Whether the budget has a hedge left; takes it."""
        return self.hedges.may_now(self.clock())

    def error(self, error: Exception, attempts: Attempts) -> BaseException:
        """What the program gets to see of the last attempt's error."""
        told = as_httpx(error)
        if told is not error:
            told.__cause__ = error
        if attempts.said:
            told.add_note(attempts.note())
        return told


class _Also:
    """An observer, and besides somebody who only wants to know who has left."""

    def __init__(self, observer: Observer, left: Callable[[Sequence[Node]], None]) -> None:
        self._observer = observer
        self._left = left
        self.picked = observer.picked
        self.done = observer.done
        self.closed = observer.closed

    def membership(self, nodes: Sequence[Node], gone: Sequence[Node]) -> None:
        self._left(gone)
        self._observer.membership(nodes, gone)
