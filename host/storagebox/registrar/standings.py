"""How the servers that the house's programs offer stand with this box, for people to read.

Who sends requests (`phantom search --url house://search`) balances by itself, and is gone a moment
later. So the box keeps a balancer of its own for each service, asks each server now and then
whether it is well, and can tell who is, and who would be chosen now and why. Where nobody offers
such a service, nothing is asked and no code for it is loaded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from storagebox.balance import Balancer
    from storagebox.balance.resolver.beacons import Registrar

# Services whose servers speak HTTP, and what they are asked.
PATHS: Final = {"search": "/1/isalive"}
# Each box of a house asks each server so often; sooner while a doubt is open.
INTERVAL_S: Final = 5.0


class Standings:
    """`run` it within the registrar's event loop; `told` answers from memory.

    Args:
        registrar: of this box.
        paths: what servers are asked, by service.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        registrar: Registrar,
        paths: Mapping[str, str] = PATHS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registrar = registrar
        self._paths = paths
        self._clock = clock
        self._balancers: dict[str, Balancer] = {}

    async def run(self) -> None:
        """Keep an eye on them until cancelled."""
        async with asyncio.TaskGroup() as services:
            for service, path in self._paths.items():
                services.create_task(self._follow(service, path))

    def told(self) -> list[dict[str, Any]]:
        """A service a row: who would be chosen and why, and each server's state in words."""
        now = self._clock()
        return [
            {"service": service, **_next(balancer, now), "servers": _servers(balancer, now)}
            for service, balancer in self._balancers.items()
            if balancer.size
        ]

    async def _follow(self, service: str, path: str) -> None:
        await self._offered(service)
        # On a thread: to load all that takes a slow machine a second, in which music goes on.
        made = await asyncio.to_thread(_made, self._registrar, service, path, self._clock)
        self._balancers[service], keeping = made
        async with keeping:
            await asyncio.get_running_loop().create_future()

    async def _offered(self, service: str) -> None:
        """Wait until somebody offers it."""
        changed = asyncio.Event()
        end = self._registrar.subscribe(lambda *_: changed.set())
        try:
            while not self._registrar.find(service):
                changed.clear()
                await changed.wait()
        finally:
            end()


def _made(
    registrar: Registrar, service: str, path: str, clock: Callable[[], float]
) -> tuple[Balancer, AbstractAsyncContextManager[object]]:
    """A balancer, and what keeps it up to date."""
    from storagebox.balance import Balancer, Endpoint, defaults
    from storagebox.balance.health.checkers import Http
    from storagebox.balance.health.checking import Checks
    from storagebox.balance.health.checks import Rhythm
    from storagebox.balance.resolver.beacons import Beacons
    from storagebox.balance.running import running

    check = Http(path)
    with suppress(OSError):  # nobody is there: it is for what is loaded on the way
        asyncio.run(check(Endpoint("127.0.0.1", 1)))
    balancer = Balancer(defaults.POLICY)
    checks = Checks(check, Rhythm(interval_s=INTERVAL_S))
    return balancer, running(balancer, Beacons(registrar, service), checks=checks, clock=clock)


def _next(balancer: Balancer, now: float) -> dict[str, Any]:
    from storagebox.balance import NoEndpoint
    from storagebox.balance.outcome import Outcome

    try:
        # As a request that only one server may get: whoever is being tried again isn't asked for.
        pick = balancer.pick(now, safe=False)
    except NoEndpoint as nobody:
        return {"chosen": None, "because": str(nobody)}
    pick.done(Outcome.CANCELLED, now)
    return {"chosen": pick.endpoint.id, "because": pick.reason}


def _servers(balancer: Balancer, now: float) -> list[dict[str, Any]]:
    return [
        {
            "id": standing.endpoint.id,
            "server": standing.endpoint.address,
            "well": standing.eligible,
            "state": standing.state,
        }
        for standing in balancer.standings(now)
    ]
