"""The transport of `httpx.Client`.

    transport = BalancedTransport(["10.0.0.1:80", "10.0.0.2:80"])
    client = httpx.Client(transport=transport, base_url="http://search")

It belongs to the process of its first request: a server that forks makes one in each worker.

A hedge needs a thread: the first attempt goes on in its own, and what comes too late is closed
there.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from random import Random

import httpx

from storagebox.balance import defaults
from storagebox.balance.background import Background
from storagebox.balance.endpoint import Endpoint
from storagebox.balance.health import Health
from storagebox.balance.health.checking import Checks
from storagebox.balance.observing import SILENT, Observer
from storagebox.balance.outcome import Outcome
from storagebox.balance.picker import Policy
from storagebox.balance.running import NotReady
from storagebox.balance.servers import Servers, resolver_of
from storagebox.balance.transport.attempts import Attempts, Settings
from storagebox.balance.transport.balanced import Balanced, Ended, Key
from storagebox.balance.transport.bodies import SyncAhead, SyncBody
from storagebox.balance.transport.channels import SyncChannel, sync_channels
from storagebox.balance.transport.faults import outcome_of_error
from storagebox.balance.transport.pools import Connecting, Pools
from storagebox.balance.transport.probing import SyncProbing

_HEDGED_AT_ONCE = 1024
"""Threads, made as they are needed. Attempts at a server that hangs keep theirs until they time
out, and mustn't keep others waiting."""


class BalancedTransport(httpx.BaseTransport):
    """Sends each request of an `httpx.Client` to the server that its policy chooses.

    Args:
        servers: addresses, endpoints, or a resolver.
        policy: how to choose.
        health: who may be chosen.
        settings: retries, hedges, deadline.
        checks: active checks of all servers, from the first request on.
        connecting: how connections are made.
        connect: makes the transport to an endpoint instead; tests give one without sockets.
        key: what a request is about, for policies that keep a key at one server.
        ready_s: how long the first request waits for the resolver to find somebody.
        random, observer: as `Balancer` takes them.
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
        connect: Callable[[Endpoint], httpx.BaseTransport] | None = None,
        key: Key | None = None,
        ready_s: float = 5.0,
        random: Random | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self._balanced: Balanced[SyncChannel] = Balanced(
            policy or defaults.POLICY,
            health,
            settings or Settings(),
            Pools(sync_channels(connecting or Connecting(), connect)),
            key=key,
            random=random,
            observer=observer,
        )
        self._probing = SyncProbing(self._balanced)
        self.balancer = self._balanced.balancer
        self._resolver = resolver_of(servers)
        self._checks = checks
        self._ready_s = ready_s
        self._background: Background | None = None
        self._starting = threading.Lock()
        self._ready = self._balanced.knows_all(self._resolver, checks)
        self._threads = ThreadPoolExecutor(_HEDGED_AT_ONCE, thread_name_prefix="hedge")

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        balanced = self._balanced
        balanced.belongs_to(os.getpid())
        if not self._ready:
            self._await_servers()
        if balanced.pools.idle:
            _close(balanced.pools.to_close())
        attempts = balanced.attempts(request)
        while True:
            after_s = balanced.hedge_after_s(attempts)
            ended = (
                self._attempt(request, attempts)
                if after_s is None
                else self._hedged(request, attempts, after_s)
            )
            if not balanced.again(ended, attempts):
                break
            if ended.response is not None:
                ended.response.close()
            pause_s = attempts.pause_s()
            if pause_s:
                time.sleep(pause_s)
        if ended.response is not None:
            return ended.response
        assert ended.error is not None
        raise balanced.error(ended.error, attempts)

    def _await_servers(self) -> None:
        """Have the resolver run, and somebody found.

        Raises:
            httpx.ConnectTimeout: nobody was, in time.
        """
        with self._starting:
            if self._background is None:
                self._background = Background(
                    self.balancer, self._resolver, checks=self._checks, clock=self._balanced.clock
                )
        try:
            self._background.ready(self._ready_s)
        except NotReady as fault:
            raise httpx.ConnectTimeout(str(fault)) from fault
        self._ready = True

    def _attempt(self, request: httpx.Request, attempts: Attempts) -> Ended:
        balanced = self._balanced
        pick = balanced.pick(attempts)
        pool = None
        try:
            self._probing.after_pick(request)
            pool = balanced.pools.take(pick.endpoint)
            answer = pool.connections.send(
                request, pick.endpoint, balanced.extensions(request, attempts)
            )
            if balanced.reads_ahead(answer, attempts):
                answer.stream = SyncAhead(answer.stream, balanced.check(attempts))
        except BaseException as error:
            balanced.failed(pick, pool, outcome_of_error(error))
            if isinstance(error, Exception):
                return Ended(pick, error=error)
            raise
        return Ended(pick, balanced.response(pick, pool, answer, attempts, SyncBody))

    def _hedged(self, request: httpx.Request, attempts: Attempts, after_s: float) -> Ended:
        """One attempt, and another beside it if that takes long; the first good one counts."""
        running = {self._threads.submit(self._attempt, request, attempts)}
        done: set[Future[Ended]] = set()
        try:
            done, running = wait(running, timeout=after_s)
            if not done and self._balanced.may_hedge_now():
                running.add(self._threads.submit(self._attempt, request, attempts))
            while running and not any(_good(future) for future in done):
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                done |= ended
        except BaseException:
            _drop(done | running)  # who waits has been interrupted
            raise
        best = min(done, key=lambda future: not _good(future))
        if _good(best):
            self._balanced.outpacing(best.result(), attempts)
        _drop((done | running) - {best})
        return best.result()

    def close(self) -> None:
        self._probing.close()
        if self._background is not None:
            self._background.close()
        _close(self._balanced.pools.close())
        self.balancer.closed()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _close(channels: Iterator[SyncChannel]) -> None:
    for channel in channels:
        with contextlib.suppress(Exception):  # no request's fault, and the others are to be closed
            channel.close()


def _good(attempt: "Future[Ended]") -> bool:
    return attempt.exception() is None and attempt.result().outcome is Outcome.SUCCESS


def _drop(attempts: "set[Future[Ended]]") -> None:
    """Close what comes too late, or was no good."""
    for attempt in attempts:
        attempt.cancel()
        attempt.add_done_callback(_close_late)


def _close_late(late: "Future[Ended]") -> None:
    if late.cancelled() or late.exception() is not None:
        return
    response = late.result().response
    if response is not None:
        response.close()
