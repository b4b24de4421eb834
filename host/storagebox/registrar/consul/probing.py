"""Asks the services of our node how they are: HTTP and TCP checks, and the agent's clock.

One task a check, which begins somewhere in its first interval, so that checks registered together
are not made together.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import httpx

from .agent import PROBES, SCHEDULE, Agent
from .checks import Monitored, http_status
from .definitions import CRITICAL, PASSING, Probe

_AT_ONCE: Final = 32
_MAX_REDIRECTS: Final = 10  # as Go's client
_HEADERS: Final = {
    "User-Agent": "Consul Health Check",
    "Accept": "text/plain, text/*, */*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
# The clock of TTLs is looked at no more often than this, and no less.
_SHORTEST_S: Final = 0.005
_LONGEST_S: Final = 60.0

Result = tuple[str, str]
"""A status and an output."""


class Prober:
    """Runs what is asked and what is timed, from `start` to `close`."""

    def __init__(
        self,
        agent: Agent,
        chance: Callable[[], float],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`chance` gives numbers from 0 up to 1."""
        self._agent = agent
        self._chance = chance
        self._now_s = now_s
        self._asking: dict[Monitored, asyncio.Task[None]] = {}
        self._clock: asyncio.Task[None] | None = None
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._scheduled = asyncio.Event()
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._ends: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin."""
        wakes = self._agent.catalog.wakes
        self._ends = [
            wakes.watch((PROBES,), self._follow),
            wakes.watch((SCHEDULE,), self._scheduled.set),
        ]
        self._clock = asyncio.create_task(self._tick())
        self._follow()

    async def close(self) -> None:
        """End."""
        for end in self._ends:
            end()
        tasks = [*self._asking.values(), *([self._clock] if self._clock else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()

    async def _tick(self) -> None:
        while True:
            due_s = self._agent.due_s
            pause_s = _LONGEST_S if due_s is None else due_s - self._now_s()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(pause_s, _SHORTEST_S), _LONGEST_S)):
                    await self._scheduled.wait()
            self._scheduled.clear()
            self._agent.tick(self._now_s())

    def _follow(self) -> None:
        """Checks have come or gone."""
        wanted = {
            monitored: monitored.definition.probe
            for monitored in self._agent.checks.values()
            if monitored.definition and monitored.definition.probe
        }
        for monitored in self._asking.keys() - wanted.keys():
            self._asking.pop(monitored).cancel()
        for monitored, probe in wanted.items():
            if monitored not in self._asking:
                self._asking[monitored] = asyncio.create_task(self._ask(monitored, probe))

    async def _ask(self, monitored: Monitored, probe: Probe) -> None:
        await asyncio.sleep(self._chance() * probe.interval_s)
        while True:
            async with self._places:
                status, output = await self._probe(probe)
            check_id = monitored.check.id
            self._agent.note_result(check_id, monitored, status, output, self._now_s())
            await asyncio.sleep(probe.interval_s)

    async def _probe(self, probe: Probe) -> Result:
        if probe.tcp:
            return await _connect(probe)
        try:
            async with asyncio.timeout(probe.timeout_s):
                return await self._request(probe)
        except TimeoutError:
            why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        except Exception as fault:  # whatever a URL of somebody else's leads to
            where = httpx.URL(probe.http).netloc.decode() if _is_url(probe.http) else ""
            why = _why(fault, where)
        return CRITICAL, f'{probe.method.title()} "{probe.http}": {why}'

    async def _request(self, probe: Probe) -> Result:
        headers: list[tuple[str, str]] = [
            *((name, value) for name, values in probe.headers.items() for value in values),
        ]
        given = {name.lower() for name, _ in headers}
        headers += [(name, text) for name, text in _HEADERS.items() if name.lower() not in given]
        client = self._client(probe.skips_tls_verification)
        request = client.build_request(
            probe.method, probe.http, headers=headers, content=probe.body.encode() or None
        )
        answer = await client.send(request, stream=True)
        try:
            kept = bytearray()
            async for part in answer.aiter_raw():
                kept += part
                if len(kept) >= probe.output_max_bytes:
                    break
        finally:
            await answer.aclose()
        body = bytes(kept[: probe.output_max_bytes]).decode(errors="replace")
        told = f"{answer.status_code} {answer.reason_phrase}"
        output = f"HTTP {probe.method} {probe.http}: {told} Output: {body}"
        return http_status(answer.status_code), output

    def _client(self, skips_tls_verification: bool) -> httpx.AsyncClient:
        if skips_tls_verification not in self._clients:
            self._clients[skips_tls_verification] = httpx.AsyncClient(
                verify=not skips_tls_verification,
                follow_redirects=True,
                max_redirects=_MAX_REDIRECTS,
                limits=httpx.Limits(max_keepalive_connections=0),
                timeout=None,  # the probe's own is for all of it
                trust_env=False,
                headers={},
            )
        return self._clients[skips_tls_verification]


async def _connect(probe: Probe) -> Result:
    host, _, port = probe.tcp.rpartition(":")
    try:
        async with asyncio.timeout(probe.timeout_s):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()
    except TimeoutError:
        return CRITICAL, f"dial tcp {probe.tcp}: i/o timeout"
    except (OSError, ValueError, OverflowError) as fault:  # of a port that is none, too
        return CRITICAL, _why(fault, probe.tcp)
    return PASSING, f"TCP connect {probe.tcp}: Success"


def _is_url(text: str) -> bool:
    try:
        return bool(httpx.URL(text).host)
    except httpx.InvalidURL:
        return False


def _why(fault: BaseException, where: str) -> str:
    """In Go's words, as far as the system's own error is known."""
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"tls: {cause.reason or cause}"
        if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
            return f"dial tcp {where}: connect: {os.strerror(cause.errno).lower()}"
        if isinstance(cause, ExceptionGroup) and cause.exceptions:
            cause = cause.exceptions[0]
        else:
            cause = cause.__cause__ or cause.__context__
    return str(fault) or type(fault).__name__
