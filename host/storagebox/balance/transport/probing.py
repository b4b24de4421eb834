"""Load probes: how busy a server is, asked off the way of any request.

A probe counts as no request, and is forgotten if nothing comes back in time.
"""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore
import httpx

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.orca import report_in
from storagebox.balance.reporting.asgi import PROBE_PATH
from storagebox.balance.transport.balanced import Balanced
from storagebox.balance.transport.channels import AsyncChannel, SyncChannel

TIMEOUT_S = 0.25
"""A later answer would tell of the past. Prequal's own is 3 ms, inside a data centre."""

_AT_ONCE = 16
_EXTENSIONS: dict[str, Any] = {
    "timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)
}


class SyncProbing:
    """Sends the load probes that a policy asks for, from threads."""

    def __init__(self, balanced: Balanced[SyncChannel]) -> None:
        self._balanced = balanced
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probe")

    def after_pick(self, request: httpx.Request) -> None:
        """Send what is due; `request` says for which service."""
        endpoints = self._balanced.balancer.probes(self._balanced.clock())
        if not endpoints:
            return
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            for endpoint in endpoints:
                self._threads.submit(self._probe, _probe_of(request), endpoint)

    def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _probe(self, probe: httpx.Request, endpoint: Endpoint) -> None:
        balanced = self._balanced
        with balanced.pools.using(endpoint) as channel:
            try:
                answer = channel.send(probe, endpoint, dict(_EXTENSIONS))
                answer.stream.close()
            except _UNHEARD:
                return
        balanced.heard(endpoint, report_in(answer.headers))


class AsyncProbing:
    """Sends the load probes that a policy asks for, as tasks."""

    def __init__(self, balanced: Balanced[AsyncChannel]) -> None:
        self._balanced = balanced
        self._tasks: set[asyncio.Task[None]] = set()

    def after_pick(self, request: httpx.Request) -> None:
        """Send what is due; `request` says for which service."""
        for endpoint in self._balanced.balancer.probes(self._balanced.clock()):
            task = asyncio.create_task(self._probe(_probe_of(request), endpoint))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _probe(self, probe: httpx.Request, endpoint: Endpoint) -> None:
        balanced = self._balanced
        with balanced.pools.using(endpoint) as channel:
            try:
                answer = await channel.send(probe, endpoint, dict(_EXTENSIONS))
                await answer.stream.aclose()
            except _UNHEARD:
                return
        balanced.heard(endpoint, report_in(answer.headers))


_UNHEARD = (
    httpx.TransportError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
)
"""A server that can't be asked is simply not heard of; that it fails, its requests tell."""


def _probe_of(request: httpx.Request) -> httpx.Request:
    url = request.url.copy_with(raw_path=PROBE_PATH.encode())
    return httpx.Request("GET", url)
