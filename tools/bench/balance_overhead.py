"""What a balanced transport costs a request, over plain httpx to one server on loopback.

The server is an asyncio protocol that answers five bytes, so that next to all of a request's time
is the client's. Rounds of both take turns, and each round's ratio counts, so that a machine that
grows slower meanwhile does not speak for either.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx

from storagebox.balance.transport.asynchronous import AsyncBalancedTransport
from storagebox.balance.transport.synchronous import BalancedTransport

_ROUNDS: Final = 40
_REQUESTS: Final = 200
_ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


class _Answers(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            self._transport.write(_ANSWER)  # pyright: ignore[reportAttributeAccessIssue,reportUnknownMemberType]


def _sync(port: int) -> list[float]:
    address = f"127.0.0.1:{port}"

    def round_s(client: httpx.Client, url: str) -> float:
        began_s = time.perf_counter()
        for _ in range(_REQUESTS):
            client.get(url)
        return time.perf_counter() - began_s

    with (
        httpx.Client(trust_env=False) as plain,
        httpx.Client(transport=BalancedTransport([address])) as balanced,
    ):
        rounds = [
            (round_s(plain, f"http://{address}/"), round_s(balanced, "http://service/"))
            for _ in range(_ROUNDS)
        ]
    return [mine / theirs - 1 for theirs, mine in rounds[1:]]


async def _async(port: int) -> list[float]:
    address = f"127.0.0.1:{port}"

    async def round_s(get: Callable[[str], Awaitable[Any]], url: str) -> float:
        began_s = time.perf_counter()
        for _ in range(_REQUESTS):
            await get(url)
        return time.perf_counter() - began_s

    async with (
        httpx.AsyncClient(trust_env=False) as plain,
        httpx.AsyncClient(transport=AsyncBalancedTransport([address])) as balanced,
    ):
        rounds = [
            (
                await round_s(plain.get, f"http://{address}/"),
                await round_s(balanced.get, "http://service/"),
            )
            for _ in range(_ROUNDS)
        ]
    return [mine / theirs - 1 for theirs, mine in rounds[1:]]


def measured() -> dict[str, Any]:
    """For each kind of transport: what share of a request's time it adds."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = subprocess.Popen(
            [sys.executable, "-m", "tools.bench.balance_overhead", str(listening.fileno())],
            pass_fds=[listening.fileno()],
        )
        port = listening.getsockname()[1]
    try:
        return {
            kind: {
                "median": round(statistics.median(added), 4),
                "least": round(min(added), 4),
                "most": round(max(added), 4),
                "rounds": len(added),
            }
            for kind, added in (("sync", _sync(port)), ("async", asyncio.run(_async(port))))
        }
    finally:
        server.kill()
        server.wait()


async def _serve(descriptor: int) -> None:
    listening = socket.socket(fileno=descriptor)
    server = await asyncio.get_running_loop().create_server(_Answers, sock=listening)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
