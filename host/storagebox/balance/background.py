"""What keeps a balancer up to date, on a thread of its own: for programs without an event loop.

    with Background(balancer, Static([...])) as background:
        background.ready(timeout_s=5)
        pick = balancer.pick(time.monotonic())

The thread is a daemon: a program that forgets to close it still ends. It doesn't survive a fork;
start it in the process that uses it.
"""

import asyncio
import threading
import time
from concurrent.futures import Future, wait
from types import TracebackType

from storagebox.balance.balancer import Balancer
from storagebox.balance.health.checking import Checks
from storagebox.balance.resolver import Resolver
from storagebox.balance.running import Clock, NotReady, running

JOIN_S = 5.0
"""How long closing waits for a resolver to take its cancellation."""


class Background:
    """`running` on a daemon thread. It runs from the start until `close`."""

    def __init__(
        self,
        balancer: Balancer,
        resolver: Resolver,
        *,
        checks: Checks | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._first: Future[None] = Future()
        self._closed = False
        self._thread = threading.Thread(
            target=self._run,
            args=(balancer, resolver, checks, clock),
            name="phantom-balance",
            daemon=True,
        )
        self._thread.start()

    def ready(self, timeout_s: float | None = None) -> None:
        """Wait for the first membership; raises as `Running.ready`, and `NotReady` once closed."""
        done, _ = wait((self._first,), timeout_s)
        if not done:
            raise NotReady.after(timeout_s)
        self._first.result()

    def close(self) -> None:
        """End its tasks and its thread. More calls change nothing."""
        if self._closed:
            return
        self._closed = True
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(JOIN_S)

    def __enter__(self) -> "Background":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(
        self, balancer: Balancer, resolver: Resolver, checks: Checks | None, clock: Clock
    ) -> None:
        try:
            self._loop.run_until_complete(self._main(balancer, resolver, checks, clock))
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
            if not self._first.done():
                self._first.set_exception(NotReady("closed before anybody said who is there"))

    async def _main(
        self, balancer: Balancer, resolver: Resolver, checks: Checks | None, clock: Clock
    ) -> None:
        async with running(balancer, resolver, checks=checks, clock=clock) as run:
            first = asyncio.create_task(run.ready())
            stop = asyncio.create_task(self._stop.wait())
            await asyncio.wait({first, stop}, return_when=asyncio.FIRST_COMPLETED)
            if first.done():
                fault = first.exception()
                if fault is None:
                    self._first.set_result(None)
                else:
                    self._first.set_exception(fault)
            else:
                first.cancel()
            await stop
