"""Searches over HTTP, whole requests: a server process, and clients that ask it all the time.

Each client is a connection that is kept, and asks again as soon as it has its answer: what there
is of requests in a second is what the server can do, with the clients on the same machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

_CHUNK: Final = 1000


@dataclass(frozen=True)
class Target:
    """A server and whose data to ask for."""

    host: str
    port: int
    app: str
    key: str


@dataclass(frozen=True)
class Load:
    """What clients saw: requests a second, and how long one took, in milliseconds."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    statuses: dict[int, int]


def request(target: Target, method: str, path: str, body: Any = None) -> bytes:
    """An HTTP request as bytes."""
    data = b"" if body is None else orjson.dumps(body)
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: {target.host}\r\n"
        f"x-algolia-application-id: {target.app}\r\nx-algolia-api-key: {target.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class Client:
    """One connection that is kept."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def connect(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(
            self._target.host, self._target.port
        )

    async def ask(self, message: bytes) -> tuple[int, bytes]:
        """Send a request; its answer's status and body."""
        self._writer.write(message)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().index(b"content-length: ") + 16
        size = int(head[length : head.index(b"\r", length)])
        return int(head[9:12]), await self._reader.readexactly(size)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def fill(target: Target, index: str, records: Sequence[Any]) -> tuple[float, float]:
    """Save records as clients do; seconds until all was taken, and until all was visible."""
    client = Client(target)
    await client.connect()
    began = time.perf_counter()
    task = 0
    for first in range(0, len(records), _CHUNK):
        requests = [
            {"action": "addObject", "body": record} for record in records[first : first + _CHUNK]
        ]
        message = request(target, "POST", f"/1/indexes/{index}/batch", {"requests": requests})
        status, body = await client.ask(message)
        while status == 429:
            await asyncio.sleep(1)
            status, body = await client.ask(message)
        assert status == 200, body
        task = orjson.loads(body)["taskID"]
    taken_s = time.perf_counter() - began
    path = f"/1/indexes/{index}/task/{task}"
    while b'"published"' not in (await client.ask(request(target, "GET", path)))[1]:
        await asyncio.sleep(0.1)
    client.close()
    return taken_s, time.perf_counter() - began


async def load(
    target: Target, messages: Sequence[bytes], connections: int, seconds: float
) -> Load:
    """Ask for so long over so many connections."""
    took: list[float] = []
    statuses: dict[int, int] = {}
    until = time.perf_counter() + seconds

    async def run(number: int) -> None:
        client = Client(target)
        await client.connect()
        at = number * 7919
        while (began := time.perf_counter()) < until:
            status, _ = await client.ask(messages[at % len(messages)])
            took.append(time.perf_counter() - began)
            statuses[status] = statuses.get(status, 0) + 1
            at += 1
        client.close()

    began = time.perf_counter()
    await asyncio.gather(*map(run, range(connections)))
    passed_s = time.perf_counter() - began
    times_ms = np.array(took) * 1000
    p50_ms, p99_ms = np.percentile(times_ms, (50, 99))
    return Load(len(took) / passed_s, p50_ms, p99_ms, float(times_ms.max()), statuses)
