"""A client in a process of its own: a steady load by a balanced transport, and what it saw.

    python -m tools.bench.balance_load sync|async RATE BEGIN_S SECONDS SEED PORT,PORT > seen.json

It sets retries, hedges and checks as a program would that cares for its requests. Requests are
sent when they are due, however long others take. Every fifth is a POST, which must not be sent
twice. All times are of the machine's monotonic clock, in seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import httpx

from storagebox.balance.health.checkers import Http
from storagebox.balance.health.checking import Checks
from storagebox.balance.health.checks import Rhythm
from storagebox.balance.node import Node
from storagebox.balance.outcome import Outcome
from storagebox.balance.retry.budget import Budget
from storagebox.balance.retry.hedging import Hedging
from storagebox.balance.retry.rules import GATEWAY, Retries
from storagebox.balance.transport.asynchronous import AsyncBalancedTransport
from storagebox.balance.transport.attempts import Settings
from storagebox.balance.transport.synchronous import BalancedTransport

TIMEOUT: Final = httpx.Timeout(2.0, connect=0.5)
DEADLINE_S: Final = 5.0
RHYTHM: Final = Rhythm(interval_s=2.0, fast_interval_s=0.5, timeout_s=0.5)
POST_EVERY: Final = 5
_THREADS: Final = 128
_URL: Final = "http://service/work"


@dataclass(frozen=True)
class Load:
    """What to send, and when."""

    rate: float
    begin_s: float
    seconds: float
    seed: int
    ports: Sequence[int]

    def due(self) -> list[tuple[float, str]]:
        """When each request is due, and its method: a Poisson process."""
        random = Random(self.seed)
        at_s, due = self.begin_s, list[tuple[float, str]]()
        while (at_s := at_s + random.expovariate(self.rate)) < self.begin_s + self.seconds:
            due.append((at_s, "POST" if len(due) % POST_EVERY == 0 else "GET"))
        return due


class _Counting(Budget):
    """A budget that counts what is taken from it."""

    taken = 0

    def withdraw(self, now: float) -> bool:
        may = super().withdraw(now)
        self.taken += may
        return may


class Seen:
    """What there was; an observer of the balancer."""

    def __init__(self) -> None:
        self.picks: list[tuple[float, str, str]] = []
        self.requests: list[dict[str, Any]] = []
        self.retries = _Counting()
        self.hedges = _Counting(ratio=0.05, min_per_s=0.0)
        self.settings = Settings(
            retries=Retries(statuses=GATEWAY | {500}, budget=self.retries),
            hedging=Hedging(budget=self.hedges),
            deadline_s=DEADLINE_S,
        )

    def membership(self, nodes: Sequence[Node], gone: Sequence[Node]) -> None: ...

    def closed(self) -> None: ...

    def picked(self, node: Node, reason: str) -> None:
        self.picks.append((time.monotonic(), node.endpoint.id, reason))

    def done(self, node: Node, reason: str, outcome: Outcome, latency_s: float) -> None: ...

    def ended(self, due_s: float, method: str, how: httpx.Response | httpx.HTTPError) -> None:
        """A request is through with all its attempts."""
        if isinstance(how, httpx.Response):
            told = str(how.status_code) if how.is_error else ""
        else:
            told = " ".join([type(how).__name__, *getattr(how, "__notes__", ())])
        self.requests.append(
            {"due_s": due_s, "took_s": time.monotonic() - due_s, "method": method, "failed": told}
        )

    def told(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "requests": self.requests,
            "picks": self.picks,
            "retries": self.retries.taken,
            "hedges": self.hedges.taken,
        }


def _servers(load: Load) -> list[str]:
    return [f"127.0.0.1:{port}" for port in load.ports]


def run_threads(load: Load, seen: Seen) -> None:
    """The load from threads, by `BalancedTransport`."""
    transport = BalancedTransport(
        _servers(load),
        settings=seen.settings,
        checks=Checks(Http("/health"), RHYTHM),
        observer=seen,
        random=Random(load.seed),
    )

    def ask(due_s: float, method: str) -> None:
        try:
            seen.ended(due_s, method, client.request(method, _URL))
        except httpx.HTTPError as error:
            seen.ended(due_s, method, error)

    with (
        httpx.Client(transport=transport, timeout=TIMEOUT) as client,
        ThreadPoolExecutor(_THREADS) as threads,
    ):
        for due_s, method in load.due():
            time.sleep(max(0.0, due_s - time.monotonic()))
            threads.submit(ask, due_s, method)


async def run_tasks(load: Load, seen: Seen) -> None:
    """The load from tasks, by `AsyncBalancedTransport`."""
    transport = AsyncBalancedTransport(
        _servers(load),
        settings=seen.settings,
        checks=Checks(Http("/health"), RHYTHM),
        observer=seen,
        random=Random(load.seed),
    )

    async def ask(due_s: float, method: str) -> None:
        try:
            seen.ended(due_s, method, await client.request(method, _URL))
        except httpx.HTTPError as error:
            seen.ended(due_s, method, error)

    async with (
        httpx.AsyncClient(transport=transport, timeout=TIMEOUT) as client,
        asyncio.TaskGroup() as group,
    ):
        for due_s, method in load.due():
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            group.create_task(ask(due_s, method))


def _main(kind: str, rate: str, begin_s: str, seconds: str, seed: str, ports: str) -> None:
    load = Load(
        float(rate), float(begin_s), float(seconds), int(seed), [*map(int, ports.split(","))]
    )
    seen = Seen()
    if kind == "sync":
        run_threads(load, seen)
    else:
        asyncio.run(run_tasks(load, seen))
    json.dump(seen.told(), sys.stdout)


if __name__ == "__main__":
    _main(*sys.argv[1:])
