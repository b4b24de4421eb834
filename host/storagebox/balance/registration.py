"""A server that says that it is there: registered with Consul, kept alive, taken off again.

    async with registered(Registration("search", Endpoint("10.0.0.1", 7700, weight=3))) as entry:
        ... serve ...
        await entry.drain()     # nobody new is sent here; what is under way is finished
        ... until that is done ...

A check with a time to live speaks for the process: while it runs it says so, three times in each.
An agent that has lost it (restarted, say) is told anew. One that can't be reached is tried again
and again; a server doesn't end because of its registry.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

import httpx

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.resolver.backoff import Backoff
from storagebox.balance.resolver.consul import base_url

_log = logging.getLogger(__name__)

TIMEOUT_S = 2.0
"""For one call. What waits for the end of a server mustn't wait for its registry."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a server says of itself.

    Args:
        service: the name that clients ask for.
        endpoint: where it answers; its weight (a whole number from 1; 1 if unknown), zone and meta
            are told, too.
        address: of the agent, as `Consul`'s.
        ttl_s: after so long in silence it counts as dead.
        forget_s: and after so long as gone; Consul's least is a minute.
    """

    service: str
    endpoint: Endpoint
    address: str | None = None
    ttl_s: float = 6.0
    forget_s: float = 60.0
    backoff: Backoff = field(default_factory=Backoff)

    @property
    def id(self) -> str:
        """The instance's id: the same again after a restart."""
        return f"{self.service}-{self.endpoint.id}"

    def body(self) -> dict[str, Any]:
        """What `agent/service/register` is sent."""
        meta = {
            **self.endpoint.meta,
            **({"zone": self.endpoint.zone} if self.endpoint.zone else {}),
        }
        weight = round(self.endpoint.weight or 1)
        return {
            "Name": self.service,
            "ID": self.id,
            "Address": self.endpoint.host,
            "Port": self.endpoint.port,
            "Meta": meta,
            "Weights": {"Passing": weight, "Warning": weight},
            "Check": {
                "CheckID": f"service:{self.id}",
                "TTL": f"{self.ttl_s * 1000:.0f}ms",
                "DeregisterCriticalServiceAfter": f"{self.forget_s:.0f}s",
            },
        }


class Entry:
    """A registration as it stands; made by `registered`."""

    def __init__(self, registration: Registration, client: httpx.AsyncClient) -> None:
        self._said = registration
        self._client = client
        self._random = Random()

    async def drain(self) -> None:
        """Ask that nobody new be sent here; what is under way goes on."""
        await self._last(
            f"service/maintenance/{self._id}", {"enable": "true", "reason": "draining"}
        )

    async def keep(self) -> None:
        """Register, and say that it lives, until cancelled."""
        known = False
        failures = 0
        while True:
            try:
                if not known:
                    await self._put("service/register", json=self._said.body())
                await self._put(f"check/pass/{quote(f'service:{self._said.id}', safe='')}")
            except httpx.HTTPError as fault:
                known = False
                failures += 1
                wait_s = self._said.backoff.wait_s(failures, self._random)
                wait_s = min(self._said.ttl_s / 3, wait_s)
                if failures == 1:
                    why = str(fault) or type(fault).__name__
                    _log.warning("registering %s: %s; it is tried again", self._said.id, why)
                await asyncio.sleep(wait_s)
                continue
            known, failures = True, 0
            await asyncio.sleep(self._said.ttl_s / 3)

    async def leave(self) -> None:
        """Take it off."""
        await self._last(f"service/deregister/{self._id}")

    @property
    def _id(self) -> str:
        return quote(self._said.id, safe="")

    async def _put(self, path: str, **options: Any) -> None:
        answer = await self._client.put(f"/v1/agent/{path}", **options)
        if not answer.is_success:
            told = f"the agent answers {answer.status_code} {answer.text[:200].strip()}"
            raise httpx.HTTPStatusError(told, request=answer.request, response=answer)

    async def _last(self, path: str, params: Mapping[str, str] | None = None) -> None:
        with contextlib.suppress(httpx.HTTPError):
            await self._put(path, params=params)


@contextlib.asynccontextmanager
async def registered(registration: Registration) -> AsyncGenerator[Entry]:
    """Registered for as long as the block lasts.

    Raises:
        ValueError: the agent's address can't be read.
    """
    agent, socket = base_url(registration.address, os.environ)
    async with httpx.AsyncClient(
        base_url=agent, transport=httpx.AsyncHTTPTransport(uds=socket), timeout=TIMEOUT_S
    ) as client:
        entry = Entry(registration, client)
        keeping = asyncio.create_task(entry.keep())
        try:
            yield entry
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await entry.leave()
