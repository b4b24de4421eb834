"""What a balanced transport costs a request, over plain httpx to one server on loopback.

The server is an asyncio protocol that answers five bytes, so that next to all of a request's time
is the client's. Rounds of both take turns, and each round's ratio counts, so that a machine that
grows slower meanwhile does not speak for either. Beside the ratio of times is that of the client's
processor time, which other work on the machine hardly changes, and which is the higher one: the
server's share is not in it.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Took:
    """What a round took."""

    clock_s: float
    processor_s: float


class _Round:
    """Measures one; a context manager."""

    def __enter__(self) -> _Round:
        self._began = time.perf_counter(), time.thread_time()
        return self

    def __exit__(self, *_: object) -> None:
        clock_s, processor_s = self._began
        self.took = _Took(time.perf_counter() - clock_s, time.thread_time() - processor_s)


Turn = tuple[_Took, _Took]
"""A round of plain httpx, and one of the balanced transport."""


def _sync(port: int) -> list[Turn]:
    address = f"127.0.0.1:{port}"

    def took(client: httpx.Client, url: str) -> _Took:
        with _Round() as round_:
            for _ in range(_REQUESTS):
                client.get(url)
        return round_.took

    with (
        httpx.Client(trust_env=False) as plain,
        httpx.Client(transport=BalancedTransport([address])) as balanced,
    ):
        return [
            (took(plain, f"http://{address}/"), took(balanced, "http://service/"))
            for _ in range(_ROUNDS)
        ]


async def _async(port: int) -> list[Turn]:
    address = f"127.0.0.1:{port}"

    async def took(client: httpx.AsyncClient, url: str) -> _Took:
        with _Round() as round_:
            for _ in range(_REQUESTS):
                await client.get(url)
        return round_.took

    async with (
        httpx.AsyncClient(trust_env=False) as plain,
        httpx.AsyncClient(transport=AsyncBalancedTransport([address])) as balanced,
    ):
        return [
            (await took(plain, f"http://{address}/"), await took(balanced, "http://service/"))
            for _ in range(_ROUNDS)
        ]


def _told(turns: list[Turn]) -> dict[str, float]:
    """What is added, of all turns but the first, in which connections were made."""
    added = [mine.clock_s / theirs.clock_s - 1 for theirs, mine in turns[1:]]
    of_processor = [mine.processor_s / theirs.processor_s - 1 for theirs, mine in turns[1:]]
    return {
        "median": round(statistics.median(added), 4),
        "least": round(min(added), 4),
        "most": round(max(added), 4),
        "processor": round(statistics.median(of_processor), 4),
        "rounds": len(added),
    }


def measured() -> dict[str, Any]:
    """For each kind of transport: what share of a request's time it adds."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = subprocess.Popen(
            [sys.executable, "-m", "tools.bench.balance_overhead", str(listening.fileno())],
            pass_fds=[listening.fileno()],
        )
        port = listening.getsockname()[1]
    try:
        return {"sync": _told(_sync(port)), "async": _told(asyncio.run(_async(port)))}
    finally:
        server.kill()
        server.wait()


async def _serve(descriptor: int) -> None:
    listening = socket.socket(fileno=descriptor)
    server = await asyncio.get_running_loop().create_server(_Answers, sock=listening)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
