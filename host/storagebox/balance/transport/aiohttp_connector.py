"""aiohttp: a connector that connects to whom the balancer chooses; a middleware that retries.

    connector = BalancedConnector(["10.0.0.1:80", "10.0.0.2:80"])
    session = aiohttp.ClientSession(connector=connector, middlewares=[connector.trying])

The connector alone balances. What an answer's status says of its server, another attempt, hedges
and the deadline need the middleware, which sees answers. The request keeps its URL: it is copied
for the connection only, so redirects and cookies stay with the logical name.

A deadline bounds attempts until the answer's head; how long a body may take is aiohttp's own
`ClientTimeout`.

Needs the extra `aiohttp`.
"""

import asyncio
import copy
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import Any

import aiohttp
from aiohttp import ClientRequest, ClientResponse
from aiohttp.client_middlewares import ClientHandlerType
from aiohttp.connector import Connection
from aiohttp.payload import BytesPayload

from storagebox.balance import defaults
from storagebox.balance.balancer import Balancer, NoEndpoint, Pick
from storagebox.balance.health import Health
from storagebox.balance.health.checking import Checks
from storagebox.balance.observing import SILENT, Observer
from storagebox.balance.outcome import LoadReport, Outcome
from storagebox.balance.picker import Policy
from storagebox.balance.retry.pushback import said_by
from storagebox.balance.retry.rules import outcome_of
from storagebox.balance.running import NotReady, Running, running
from storagebox.balance.servers import Servers, resolver_of
from storagebox.balance.transport.attempts import Attempts, Settings
from storagebox.balance.transport.hedges import Hedges

_UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_SERVERS = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError)
_COURSE = "_balanced"


class _Course:
    """An attempt's way through the connector: who was picked, and what that one answered.

    A short answer has come whole, and its connection is free, before the middleware sees its head;
    `watched` says that there is a middleware to wait for.
    """

    def __init__(self, attempts: Attempts, *, watched: bool) -> None:
        self.attempts = attempts
        self.pick: Pick | None = None
        self._watched = watched
        self._outcome: Outcome | None = None
        self._report: LoadReport | None = None
        self._free = False

    def picked(self, now: float) -> Pick:
        self.pick = self.attempts.pick(now)
        self._outcome, self._report, self._free = None, None, False
        return self.pick

    def answered(self, response: ClientResponse, now: float) -> None:
        """The middleware has seen the answer's head."""
        self._outcome, self._report = said_by(response.status, response.raw_headers)
        if self.pick is not None:
            self.pick.answered(now)
            if self._free:
                self.pick.done(self._outcome, now, self._report)

    def released(self, pick: Pick, connection: Connection) -> None:
        """The connection is free, or broken: the body has been read or dropped."""
        protocol = connection.protocol
        if protocol is not None and protocol.exception() is not None:
            pick.done(Outcome.FAILURE, time.monotonic())
        elif self._outcome is not None or not self._watched:
            pick.done(self._outcome or Outcome.SUCCESS, time.monotonic(), self._report)
        else:
            self._free = True


@dataclass(frozen=True, slots=True)
class _Ended:
    """How an attempt ended, headers and all: with a response, or with an error."""

    course: _Course
    by: ClientResponse | Exception

    @property
    def outcome(self) -> Outcome:
        if isinstance(self.by, ClientResponse):
            return outcome_of(self.by.status)
        return _outcome_of_error(self.by)

    @property
    def status(self) -> int | None:
        return self.by.status if isinstance(self.by, ClientResponse) else None

    def drop(self) -> None:
        """Nobody wants its answer."""
        if isinstance(self.by, ClientResponse):
            self.by.release()


class BalancedConnector(aiohttp.TCPConnector):
    """Connects each request to the server that the policy chooses.

    Args:
        servers, policy, health, settings, checks, ready_s, random, observer: as
        `BalancedTransport`. options: as `aiohttp.TCPConnector`; limits are of all servers
        together.
    """

    def __init__(
        self,
        servers: Servers,
        *,
        policy: Policy | None = None,
        health: Health | None = None,
        settings: Settings | None = None,
        checks: Checks | None = None,
        ready_s: float = 5.0,
        random: Random | None = None,
        observer: Observer = SILENT,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.balancer = Balancer(
            policy or defaults.POLICY, health=health, random=random, observer=observer
        )
        self._settings = settings or Settings()
        self._hedges = Hedges(self.balancer, self._settings.hedging)
        self._servers = resolver_of(servers)
        self._checks = checks
        self._ready_s = ready_s
        self._runs = AsyncExitStack()
        self._run: Running | None = None
        self._starting = asyncio.Lock()

    async def connect(
        self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """A connection for one request, to whom the balancer picks."""
        if self._run is None:
            await self._await_servers()
        course: _Course = getattr(req, _COURSE, None) or _Course(
            self._attempts(req, {}), watched=False
        )
        try:
            pick = course.picked(time.monotonic())
        except NoEndpoint as nobody:
            raise aiohttp.ClientConnectionError(str(nobody)) from nobody
        try:
            connection = await super().connect(_routed(req, pick), traces, timeout)
        except BaseException as error:
            pick.done(_outcome_of_error(error), time.monotonic())
            raise
        connection.add_callback(lambda: course.released(pick, connection))
        return connection

    async def trying(self, req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """The middleware: tells what answers say of servers, and tries elsewhere what may be."""
        return await self._try(req, handler, {})

    async def trying_safely(
        self, req: ClientRequest, handler: ClientHandlerType
    ) -> ClientResponse:
        """The same for requests that may be carried out twice whatever their method:
        `session.post(url, middlewares=[connector.trying_safely])`."""
        return await self._try(req, handler, {"safe": True})

    async def _try(
        self, req: ClientRequest, handler: ClientHandlerType, told: Mapping[str, Any]
    ) -> ClientResponse:
        attempts = self._attempts(req, told)
        while True:
            after_s = self._hedges.after_s(attempts, time.monotonic())
            ended = (
                await self._attempt(req, handler, attempts)
                if after_s is None
                else await self._hedged(req, handler, attempts, after_s)
            )
            if not self._again(ended, attempts):
                break
            ended.drop()
            await req.close()  # what is still being written of the last attempt
            await asyncio.sleep(attempts.pause_s())
        if isinstance(ended.by, ClientResponse):
            return ended.by
        if attempts.said:
            ended.by.add_note(attempts.note())
        raise ended.by

    async def _hedged(
        self, req: ClientRequest, handler: ClientHandlerType, attempts: Attempts, after_s: float
    ) -> _Ended:
        """One attempt, and another beside it if that takes long; the first good one counts."""
        one, other = copy.copy(req), copy.copy(req)  # while nothing of it has been sent
        running = {asyncio.create_task(self._attempt(one, handler, attempts))}
        done: set[asyncio.Task[_Ended]] = set()
        try:
            done, running = await asyncio.wait(running, timeout=after_s)
            if not done and self._hedges.may_now(time.monotonic()):
                running.add(asyncio.create_task(self._attempt(other, handler, attempts)))
            while running and not any(_good(task) for task in done):
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                done |= ended
            best = min(done, key=lambda task: not _good(task))
            if _good(best) and (pick := best.result().course.pick) is not None:
                attempts.outpacing(pick, time.monotonic())
            await _drop((done | running) - {best})
        except BaseException:
            await _drop(done | running)
            raise
        return best.result()

    async def _attempt(
        self, req: ClientRequest, handler: ClientHandlerType, attempts: Attempts
    ) -> _Ended:
        course = _Course(attempts, watched=True)
        setattr(req, _COURSE, course)
        try:
            async with asyncio.timeout(_left_s(attempts)):
                response = await handler(req)
        except BaseException as error:
            if course.pick is not None:
                course.pick.done(_outcome_of_error(error), time.monotonic())
            if isinstance(error, aiohttp.ClientError | TimeoutError):
                return _Ended(course, error)
            raise
        now = time.monotonic()
        course.answered(response, now)
        if course.pick is not None:
            self._hedges.answered(course.pick, now)
        return _Ended(course, response)

    def _again(self, ended: _Ended, attempts: Attempts) -> bool:
        outcome, pick = ended.outcome, ended.course.pick
        if outcome is Outcome.SUCCESS or pick is None:
            return False
        what = type(ended.by).__name__ if ended.status is None else str(ended.status)
        return attempts.again(pick, outcome, ended.status, what, time.monotonic())

    def _attempts(self, req: ClientRequest, told: Mapping[str, Any]) -> Attempts:
        return Attempts(
            self.balancer,
            self._settings,
            req.method,
            told,
            replayable=isinstance(req.body, bytes | BytesPayload),
            key=None,
            now=time.monotonic(),
        )

    async def _await_servers(self) -> None:
        async with self._starting:
            if self._run is None:
                run = running(self.balancer, self._servers, checks=self._checks)
                self._run = await self._runs.enter_async_context(run)
        try:
            await self._run.ready(self._ready_s)
        except NotReady as fault:
            raise aiohttp.ClientConnectionError(str(fault)) from fault

    def close(self, **options: Any) -> Any:
        """As `TCPConnector.close`, and the resolver ends."""
        closing = super().close(**options)
        self.balancer.closed()

        async def both() -> None:
            await self._runs.aclose()
            await closing

        return both()


def _left_s(attempts: Attempts) -> float | None:
    deadline_at_s = attempts.deadline_at_s
    return None if deadline_at_s is None else deadline_at_s - time.monotonic()


def _good(attempt: "asyncio.Task[_Ended]") -> bool:
    return (
        not attempt.cancelled()
        and attempt.exception() is None
        and attempt.result().outcome is Outcome.SUCCESS
    )


async def _drop(attempts: "set[asyncio.Task[_Ended]]") -> None:
    """Cancel what is still under way, and be rid of what has come too late or was no good."""
    for task in attempts:
        task.cancel()
    for ended in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(ended, _Ended):
            ended.drop()


def _routed(req: ClientRequest, pick: Pick) -> ClientRequest:
    """The request as the connection needs it. The one that is sent over it stays as it is."""
    endpoint = pick.endpoint
    routed = copy.copy(req)
    routed.url = req.url.with_host(endpoint.host).with_port(endpoint.port)
    if req.is_ssl() and req.server_hostname is None:
        routed.server_hostname = req.url.raw_host
    return routed


def _outcome_of_error(error: BaseException) -> Outcome:
    """Who has to answer for an attempt that ended so."""
    if isinstance(error, asyncio.CancelledError):
        return Outcome.CANCELLED
    if isinstance(error, _UNSENT):
        return Outcome.UNREACHABLE
    if isinstance(error, _SERVERS):
        return Outcome.FAILURE
    return Outcome.CLIENT_FAULT
