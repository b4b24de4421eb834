"""The same policies over real sockets, beside the simulation of the very same requests.

Clients are what programs use, `AsyncBalancedTransport`; servers are processes. What comes when,
and how much work it is, is drawn once and given to both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import httpx
import numpy as np

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.experiment import stage
from storagebox.balance.experiment.real_server import RealServer, forking
from storagebox.balance.experiment.scenario import Contender, Scenario
from storagebox.balance.experiment.summary import summarise
from storagebox.balance.experiment.trace import End, Trace
from storagebox.balance.transport.asynchronous import AsyncBalancedTransport
from storagebox.balance.transport.attempts import Settings

_LEAD_S = 0.3
"""Before the first request, for everything to be in place."""


@dataclass(frozen=True, slots=True)
class Real:
    """A scenario on real sockets.

    Args:
        scenario: paces, events and hops of it don't apply.
        contenders: ways to balance. Those that are `proxied` reach all servers through one proxy.
        victim: what is killed after two fifths of the run, and is back a fifth later: `proxy`,
            `server` or nobody.
        compared: whether it is simulated, too.
    """

    scenario: Scenario
    contenders: Sequence[Contender]
    victim: str = ""
    compared: bool = True

    @property
    def names(self) -> Sequence[str]:
        return [contender.name for contender in self.contenders]

    @property
    def setting(self) -> dict[str, Any]:
        return {**self.scenario.setting, "sockets": "loopback"}

    def measure(self, contender: int, seed: int, requests: int) -> dict[str, float]:
        """The figures of `summarise`, and beside them, as `simulated_*`, the simulation's."""
        scenario = replace(self.scenario, requests=requests)
        chosen = self.contenders[contender]
        trace = asyncio.run(self._run(scenario, chosen, seed))
        figures = summarise(trace, scenario.service_s, scenario.deadline_s)
        if self.compared:
            simulated = stage.run(scenario, chosen, seed)
            beside = summarise(simulated, scenario.service_s, scenario.deadline_s)
            figures |= {f"simulated_{name}": value for name, value in beside.items()}
        return figures

    async def _run(self, scenario: Scenario, contender: Contender, seed: int) -> Trace:
        context = forking()
        with ExitStack() as started:
            servers = [
                started.enter_context(RealServer(context, scenario.workers, speed))
                for speed in scenario.speeds
            ]
            for server in servers:
                server.wait()
            endpoints = [
                server.endpoint.weighing(speed if contender.weighted else None)
                for server, speed in zip(servers, scenario.speeds, strict=True)
            ]
            victim = servers[0]
            if contender.proxied:
                behind = tuple(server.port for server in servers)
                proxy = started.enter_context(RealServer(context, behind=behind))
                proxy.wait()
                endpoints = [proxy.endpoint]
                victim = proxy if self.victim == "proxy" else victim
            sending = _Sending(scenario, contender, endpoints, seed)
            if not self.victim:
                return await sending.run()
            killing = asyncio.create_task(_kill(victim, scenario.run_s))
            try:
                return await sending.run()
            finally:
                await killing


async def _kill(victim: RealServer, run_s: float) -> None:
    """Off the event loop: starting a process again takes a while."""
    await asyncio.sleep(_LEAD_S + run_s * 0.4)
    await asyncio.to_thread(victim.kill)
    await asyncio.sleep(run_s * 0.2)
    await asyncio.to_thread(victim.start)
    await asyncio.to_thread(victim.wait)


class _Sending:
    """All clients of one run."""

    def __init__(
        self, scenario: Scenario, contender: Contender, endpoints: list[Endpoint], seed: int
    ) -> None:
        self._scenario = scenario
        self._contender = contender
        self._endpoints = endpoints
        self._seed = seed
        self._latency_s = [0.0] * scenario.requests
        self._ends = [int(End.LOST)] * scenario.requests
        self._assigned_s = dict.fromkeys((each.id for each in endpoints), 0.0)
        self._tries = 0

    async def run(self) -> Trace:
        scenario = self._scenario
        arrivals = stage.arrivals(scenario, self._seed)
        rows = list(zip(arrivals.clients.tolist(), arrivals.work_s.tolist(), strict=True))
        warm = len(rows) // 5
        async with AsyncExitStack() as open_:
            clients = [
                await open_.enter_async_context(self._client(number))
                for number in range(scenario.clients)
            ]
            began_s = time.monotonic() + _LEAD_S
            sent: list[asyncio.Task[None]] = []
            for index, (at_s, (client, work_s)) in enumerate(
                zip(arrivals.times_s.tolist(), rows, strict=True)
            ):
                await _until(began_s + at_s)
                counted = index >= warm
                sending = self._send(clients[client], index, began_s + at_s, work_s, counted)
                sent.append(asyncio.create_task(sending))
            await asyncio.gather(*sent)
        return self._trace(arrivals.times_s, warm)

    def _client(self, number: int) -> httpx.AsyncClient:
        contender, random = self._contender, Random(f"{self._seed} client {number}")
        settings = contender.settings() if contender.settings else Settings(retries=None)
        transport = AsyncBalancedTransport(
            self._endpoints,
            policy=contender.policy(number, random),
            health=contender.health() if contender.health else None,
            settings=settings,
            random=random,
        )
        return httpx.AsyncClient(transport=transport, base_url="http://servers", timeout=10.0)

    async def _send(
        self, client: httpx.AsyncClient, index: int, due_s: float, work_s: float, counted: bool
    ) -> None:
        end = End.ANSWERED
        try:
            response = await client.get(f"/{work_s:.6f}")
        except httpx.HTTPError:
            end = End.FAILED
        else:
            chosen = response.extensions["chosen"]
            self._tries += chosen.attempts
            if counted:
                self._assigned_s[chosen.endpoint.id] += work_s
        self._latency_s[index] = time.monotonic() - due_s
        self._ends[index] = end

    def _trace(self, born_s: np.ndarray[tuple[int], np.dtype[np.float64]], warm: int) -> Trace:
        scenario = self._scenario
        warm_s, until_s = float(born_s[warm]), float(born_s[-1])
        proxied = len(self._endpoints) != len(scenario.speeds)
        speeds = [sum(scenario.speeds)] if proxied else scenario.speeds
        return Trace(
            born_s=born_s,
            latency_s=np.asarray(self._latency_s),
            ends=np.asarray(self._ends, dtype=np.int8),
            assigned_s=np.asarray(list(self._assigned_s.values())),
            capacity_s=np.asarray(speeds) * scenario.workers * (until_s - warm_s),
            connections=0,
            tries=self._tries,
            probes=0,
            warm_s=warm_s,
        )


async def _until(at_s: float) -> None:
    wait_s = at_s - time.monotonic()
    if wait_s > 0:
        await asyncio.sleep(wait_s)
