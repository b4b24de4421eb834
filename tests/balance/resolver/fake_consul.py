"""An agent's `health/service` and nothing else: blocks as the real one, misbehaves on demand."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

MAX_WAIT_S = 600.0


def instance(
    id_: str,
    port: object = 80,
    *,
    address: str = "",
    node: str = "n1",
    statuses: tuple[str, ...] = ("passing",),
    weights: object = None,
    maintenance: bool = False,
    **meta: str,
) -> dict[str, Any]:
    """An entry as an agent gives it."""
    checks = [
        {"CheckID": f"service:{id_}:{n}", "Status": status, "Output": "told"}
        for n, status in enumerate(statuses)
    ]
    if maintenance:
        checks.append({"CheckID": f"_service_maintenance:{id_}", "Status": "critical"})
    service: dict[str, Any] = {"ID": id_, "Service": "web", "Address": address, "Port": port}
    service |= {"Meta": meta or None, "Weights": weights or {"Passing": 1, "Warning": 1}}
    return {
        "Node": {"Node": node, "Address": "127.0.0.1", "Meta": None},
        "Service": service,
        "Checks": checks,
    }


class FakeConsul:
    """State that a test sets; `set` wakes whoever waits."""

    def __init__(self) -> None:
        self.index = 10
        self.entries: object = []
        self.asked: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.body: bytes | None = None
        self.tells_index = True
        self.address = ""
        self._changed = asyncio.Condition()
        self.served = asyncio.Condition()

    async def set(self, *entries: object, index: int | None = None) -> None:
        self.entries = list(entries)
        self.index = self.index + 1 if index is None else index
        async with self._changed:
            self._changed.notify_all()

    async def calls(self, count: int) -> None:
        """Wait until it has been asked so often."""
        async with self.served:
            await asyncio.wait_for(self.served.wait_for(lambda: len(self.asked) >= count), 60)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readline():
                headers: dict[str, str] = {}
                while (line := await reader.readline()).strip():
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value.strip()
                await self._answer(request.decode().split()[1], headers, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, target: str, headers: dict[str, str], writer: asyncio.StreamWriter
    ) -> None:
        url = urlsplit(target)
        asked = {k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
        self.asked.append({"path": url.path, **asked})
        self.headers.append(headers)
        async with self.served:
            self.served.notify_all()
        index = int(asked.get("index", 0))
        if index >= self.index and index > 0 and self.status == 200:
            wait_s = min(MAX_WAIT_S, float(asked["wait"].removesuffix("ms")) / 1000)
            before = self.index
            async with self._changed:
                try:
                    async with asyncio.timeout(wait_s):
                        await self._changed.wait_for(lambda: self.index != before)
                except TimeoutError:
                    pass
        body = json.dumps(self.entries).encode() if self.body is None else self.body
        told = f"X-Consul-Index: {self.index}\r\n" if self.tells_index else ""
        writer.write(
            f"HTTP/1.1 {self.status} .\r\n{told}Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()


@asynccontextmanager
async def consul(port: int = 0) -> AsyncGenerator[FakeConsul]:
    """One at work on a free port of this machine."""
    fake = FakeConsul()
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await fake.serve(reader, writer)
        connections.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    fake.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
