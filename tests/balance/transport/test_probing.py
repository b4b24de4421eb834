"""Policies that probe: servers are asked how they are while requests go their own way."""

import asyncio
import threading
from typing import Any

import httpx
import pytest

from storagebox.balance import Balancer, Endpoint
from storagebox.balance.picker.prequal import Prequal
from storagebox.balance.reporting.asgi import PROBE_PATH, Reporting
from storagebox.balance.transport.asynchronous import AsyncBalancedTransport
from storagebox.balance.transport.synchronous import BalancedTransport

SERVERS = [Endpoint(f"10.0.0.{n}", 80) for n in (1, 2, 3)]


def test_probes_go_out_and_what_they_answer_counts(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    heard: list[tuple[str, int | None]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b""})

    def probed(self: Balancer, endpoint: Endpoint, report: Any, now: float) -> None:
        heard.append((endpoint.id, report.in_flight))

    monkeypatch.setattr(Balancer, "probed", probed)

    async def main() -> None:
        transport = AsyncBalancedTransport(
            SERVERS, policy=Prequal(), connect=lambda _: httpx.ASGITransport(Reporting(app))
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://search") as search:
            for _ in range(4):
                await search.get("/")
            while len(heard) < 3:
                await asyncio.sleep(0)

    asyncio.run(main())
    assert asked == ["/"] * 4, "a probe reaches no application"
    assert {id_ for id_, _ in heard} <= {endpoint.id for endpoint in SERVERS}


def test_a_server_that_cannot_be_probed_is_not_heard_of():
    probed = threading.Event()

    class Server(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == PROBE_PATH:
                probed.set()
                raise httpx.ConnectError("refused")
            return httpx.Response(200)

    transport = BalancedTransport(SERVERS, policy=Prequal(), connect=lambda _: Server())
    with httpx.Client(transport=transport, base_url="http://search") as search:
        assert [search.get("/").status_code for _ in range(6)] == [200] * 6
        assert probed.wait(10)
    assert [standing.failed for standing in transport.balancer.standings(0.0)] == [0, 0, 0]
