"""The transport of `httpx.AsyncClient`, on asyncio.

    transport = AsyncBalancedTransport(Consul("search"))
    client = httpx.AsyncClient(transport=transport, base_url="http://search")

It belongs to the event loop of its first request.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from random import Random

import httpx

from storagebox.balance import defaults
from storagebox.balance.endpoint import Endpoint
from storagebox.balance.health import Health
from storagebox.balance.health.checking import Checks
from storagebox.balance.observing import SILENT, Observer
from storagebox.balance.outcome import Outcome
from storagebox.balance.picker import Policy
from storagebox.balance.running import NotReady, Running, running
from storagebox.balance.servers import Servers, resolver_of
from storagebox.balance.transport.attempts import Attempts, Settings
from storagebox.balance.transport.balanced import Balanced, Ended, Key
from storagebox.balance.transport.bodies import AsyncAhead, AsyncBody
from storagebox.balance.transport.channels import Answer, AsyncChannel, async_channels
from storagebox.balance.transport.faults import outcome_of_error
from storagebox.balance.transport.pools import Connecting, Pool, Pools
from storagebox.balance.transport.probing import AsyncProbing


class AsyncBalancedTransport(httpx.AsyncBaseTransport):
    """Sends each request of an `httpx.AsyncClient` to the server that its policy chooses.

    Args: as `BalancedTransport`; `connect` makes asynchronous transports.
    """

    def __init__(
        self,
        servers: Servers,
        *,
        policy: Policy | None = None,
        health: Health | None = None,
        settings: Settings | None = None,
        checks: Checks | None = None,
        connecting: Connecting | None = None,
        connect: Callable[[Endpoint], httpx.AsyncBaseTransport] | None = None,
        key: Key | None = None,
        ready_s: float = 5.0,
        random: Random | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self._balanced: Balanced[AsyncChannel] = Balanced(
            policy or defaults.POLICY,
            health,
            settings or Settings(),
            Pools(async_channels(connecting or Connecting(), connect)),
            key=key,
            random=random,
            observer=observer,
        )
        self._probing = AsyncProbing(self._balanced)
        self.balancer = self._balanced.balancer
        self._resolver = resolver_of(servers)
        self._checks = checks
        self._ready_s = ready_s
        self._runs = AsyncExitStack()
        self._run: Running | None = None
        self._starting = asyncio.Lock()
        self._ready = self._balanced.knows_all(self._resolver, checks)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        balanced = self._balanced
        balanced.belongs_to(asyncio.get_running_loop())
        if not self._ready:
            await self._await_servers()
        if balanced.pools.idle:
            await _close(balanced.pools.to_close())
        attempts = balanced.attempts(request)
        while True:
            after_s = balanced.hedge_after_s(attempts)
            ended = (
                await self._attempt(request, attempts)
                if after_s is None
                else await self._hedged(request, attempts, after_s)
            )
            if not balanced.again(ended, attempts):
                break
            if ended.response is not None:
                await ended.response.aclose()
            pause_s = attempts.pause_s()
            if pause_s:
                await asyncio.sleep(pause_s)
        if ended.response is not None:
            return ended.response
        assert ended.error is not None
        raise balanced.error(ended.error, attempts)

    async def _await_servers(self) -> None:
        """Have the resolver run, and somebody found.

        Raises:
            httpx.ConnectTimeout: nobody was, in time.
        """
        async with self._starting:
            if self._run is None:
                self._run = await self._runs.enter_async_context(
                    running(
                        self.balancer,
                        self._resolver,
                        checks=self._checks,
                        clock=self._balanced.clock,
                    )
                )
        try:
            await self._run.ready(self._ready_s)
        except NotReady as fault:
            raise httpx.ConnectTimeout(str(fault)) from fault
        self._ready = True

    async def _attempt(self, request: httpx.Request, attempts: Attempts) -> Ended:
        balanced = self._balanced
        pick = balanced.pick(attempts)
        pool = None
        try:
            self._probing.after_pick(request)
            pool = balanced.pools.take(pick.endpoint)
            answer = await self._send(request, pick.endpoint, pool, attempts)
        except BaseException as error:
            balanced.failed(pick, pool, outcome_of_error(error))
            if isinstance(error, Exception):
                return Ended(pick, error=error)
            raise
        return Ended(pick, balanced.response(pick, pool, answer, attempts, AsyncBody))

    async def _send(
        self,
        request: httpx.Request,
        endpoint: Endpoint,
        pool: Pool[AsyncChannel],
        attempts: Attempts,
    ) -> Answer:
        if attempts.deadline_at_s is None:
            return await self._answer(request, endpoint, pool, attempts)
        try:
            async with asyncio.timeout(attempts.deadline_at_s - self._balanced.clock()):
                return await self._answer(request, endpoint, pool, attempts)
        except TimeoutError as late:
            raise httpx.ReadTimeout("no answer before the deadline") from late

    async def _answer(
        self,
        request: httpx.Request,
        endpoint: Endpoint,
        pool: Pool[AsyncChannel],
        attempts: Attempts,
    ) -> Answer:
        balanced = self._balanced
        extensions = balanced.extensions(request, attempts)
        answer = await pool.connections.send(request, endpoint, extensions)
        if balanced.reads_ahead(answer, attempts):
            answer.stream = await AsyncAhead.read(answer.stream, balanced.check(attempts))
        return answer

    async def _hedged(self, request: httpx.Request, attempts: Attempts, after_s: float) -> Ended:
        """One attempt, and another beside it if that takes long; the first good one counts."""
        running = {asyncio.create_task(self._attempt(request, attempts))}
        done: set[asyncio.Task[Ended]] = set()
        try:
            done, running = await asyncio.wait(running, timeout=after_s)
            if not done and self._balanced.may_hedge_now():
                running.add(asyncio.create_task(self._attempt(request, attempts)))
            while running and not any(_good(task) for task in done):
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                done |= ended
            best = min(done, key=lambda task: not _good(task))
            if _good(best):
                self._balanced.outpacing(best.result(), attempts)
            await _drop((done | running) - {best})
        except BaseException:
            await _drop(done | running)
            raise
        return best.result()

    async def aclose(self) -> None:
        await self._probing.aclose()
        await self._runs.aclose()
        await _close(self._balanced.pools.close())
        self.balancer.closed()


async def _close(channels: Iterator[AsyncChannel]) -> None:
    for channel in channels:
        with contextlib.suppress(Exception):  # no request's fault, and the others are to be closed
            await channel.aclose()


def _good(attempt: "asyncio.Task[Ended]") -> bool:
    return (
        not attempt.cancelled()
        and attempt.exception() is None
        and attempt.result().outcome is Outcome.SUCCESS
    )


async def _drop(attempts: "set[asyncio.Task[Ended]]") -> None:
    """Cancel what is still under way, and close what has come too late or was no good."""
    for task in attempts:
        task.cancel()
    for ended in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(ended, Ended) and ended.response is not None:
            await ended.response.aclose()
