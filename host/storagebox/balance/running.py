"""What keeps a balancer up to date, as tasks of an event loop.

    async with running(balancer, Static([...]), checks=Checks(Http("/health"))) as run:
        await run.ready(timeout_s=5)
        pick = balancer.pick(time.monotonic())

A program without an event loop has `background`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from storagebox.balance.balancer import Balancer
from storagebox.balance.endpoint import Endpoint
from storagebox.balance.health.checking import Checking, Checks
from storagebox.balance.health.checks import Finding
from storagebox.balance.resolver import Resolver

Clock = Callable[[], float]

_log = logging.getLogger(__name__)


class NotReady(TimeoutError):
    """No membership was published in time."""

    @classmethod
    def after(cls, timeout_s: float | None) -> "NotReady":
        """What to raise when so long has passed."""
        return cls(
            f"nobody said within {timeout_s or 0:g} s who is there: see whether the resolver's"
            " registry answers"
        )


class Running:
    """A balancer that is kept up to date; made by `running`."""

    def __init__(self, balancer: Balancer, checks: Checks | None, clock: Clock) -> None:
        self._balancer = balancer
        self._clock = clock
        self._checking = None if checks is None else Checking(checks, self._checked)
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ready(self, timeout_s: float | None = None) -> None:
        """Wait for the first membership, which may be an empty one.

        Raises:
            NotReady: there was none in time.
            Exception: whatever the resolver ended with, `ValueError` if no waiting would mend it.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._first)
        except TimeoutError:
            raise NotReady.after(timeout_s) from None

    def _publish(self, endpoints: Sequence[Endpoint]) -> None:
        self._balancer.update(endpoints, self._clock())
        if self._checking is not None:
            self._checking.update(endpoints)
        if not self._first.done():
            self._first.set_result(None)

    def _checked(self, id_: str, finding: Finding) -> None:
        self._balancer.checked(id_, finding, self._clock())

    async def _resolve(self, resolver: Resolver) -> None:
        try:
            await resolver.watch(self._publish)
        except Exception as fault:
            _log.exception("the resolver ended; the membership stays as it is")
            if not self._first.done():
                self._first.set_exception(fault)

    async def _close(self) -> None:
        if self._checking is not None:
            await self._checking.close()
        self._first.cancel()
        if self._first.done() and not self._first.cancelled():
            self._first.exception()  # seen by the log, if by nobody else


@asynccontextmanager
async def running(
    balancer: Balancer,
    resolver: Resolver,
    *,
    checks: Checks | None = None,
    clock: Clock = time.monotonic,
) -> AsyncGenerator[Running]:
    """Keep a balancer's membership as the resolver says and its health as checks find.

    Args:
        clock: what `now` is for the balancer; whoever picks must use the same.
    """
    run = Running(balancer, checks, clock)
    watching = asyncio.create_task(run._resolve(resolver))  # pyright: ignore[reportPrivateUsage]
    try:
        yield run
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await run._close()  # pyright: ignore[reportPrivateUsage]
