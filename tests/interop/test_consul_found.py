"""Servers are found by a Consul agent: by this project's own, and by Consul's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from storagebox.balance.resolver.backoff import Backoff
from storagebox.balance.resolver.consul import Consul
from storagebox.balance.resolver.dns import DnsSettings, Services
from tests.balance.resolver.published import watching
from tests.interop.consul_agent import agent

TIMED = False


@asynccontextmanager
async def consuls(tmp_path: Path) -> AsyncGenerator[tuple[str, int]]:
    """Consul's own agent: its URL, and its DNS port."""
    with agent(tmp_path, "n1") as ports:
        yield f"http://127.0.0.1:{ports['http']}", ports["dns"]


@asynccontextmanager
async def own(tmp_path: Path) -> AsyncGenerator[tuple[str, int]]:
    """This project's registrar."""
    serving = pytest.importorskip("storagebox.registrar.consul.serving")
    definitions = pytest.importorskip("storagebox.registrar.consul.definitions")
    journal = pytest.importorskip("storagebox.journal")
    node = definitions.Node("n1", "127.0.0.1", "0-0", {"lan": "127.0.0.1"}, {})
    async with serving.Serving(node, journal.Journal(None)) as made:
        port = await made.http("127.0.0.1", 0)
        yield f"http://127.0.0.1:{port}", await made.dns("127.0.0.1", 0)


class Registry:
    """Puts what services and operators put."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url)

    async def put(self, path: str, **said: Any) -> None:
        (await self._client.put(f"/v1/agent/{path}", **said)).raise_for_status()

    async def register(self, id_: str, port: int, warning: int = 1, passing: int = 3) -> None:
        service = {"ID": id_, "Name": "web", "Address": "127.0.0.1", "Port": port}
        service |= {"Weights": {"Passing": passing, "Warning": warning}, "Meta": {"zone": "attic"}}
        service["Check"] = {"TTL": "60s", "Status": "passing"}
        await self.put("service/register", json=service)

    async def close(self) -> None:
        await self._client.aclose()


@pytest.mark.parametrize("serve", [consuls, own])
def test_every_change_of_a_service_is_found(serve: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with serve(tmp_path) as (url, dns_port):
            registry = Registry(url)
            await registry.register("w1", 8001)
            await registry.register("w2", 8002)
            await follow(registry, url, dns_port)
            await registry.close()

    asyncio.run(main())


async def follow(registry: Registry, url: str, dns_port: int) -> None:
    soon = Backoff(first_s=0.05, max_s=0.2)
    consul = Consul("web", url, every_s=0.0, grace_s=0.2, backoff=soon)
    async with watching(consul) as published:

        async def now() -> dict[str, tuple[float | None, bool]]:
            told = await published.next()
            assert {endpoint.zone for endpoint in told.values()} <= {"attic"}
            return {id_.split("/")[1]: (each.weight, each.ready) for id_, each in told.items()}

        assert await now() == {"w1": (3, True), "w2": (3, True)}
        await registry.put("check/warn/service:w1")
        assert await now() == {"w1": (1, True), "w2": (3, True)}
        await registry.put("check/fail/service:w1")
        assert await now() == {"w1": (3, False), "w2": (3, True)}
        await registry.put("check/pass/service:w1")
        assert await now() == {"w1": (3, True), "w2": (3, True)}
        await registry.put("service/maintenance/w2?enable=true&reason=why")
        assert await now() == {"w1": (3, True), "w2": (0, False)}
        await registry.put("service/maintenance/w2?enable=false")
        assert await now() == {"w1": (3, True), "w2": (3, True)}
        await registry.register("w2", 8002, passing=9)
        assert await now() == {"w1": (3, True), "w2": (9, True)}
        asked = DnsSettings(["127.0.0.1"], port=dns_port, min_ttl_s=0.05)
        async with watching(Services("_web._tcp.service.consul", asked)) as named:
            told = await named.next()
            assert {(e.address, e.weight) for e in told.values()} == {
                ("127.0.0.1:8001", 3),
                ("127.0.0.1:8002", 9),
            }
            await registry.put("service/deregister/w1")
            assert await now() == {"w2": (9, True)}
            assert len(await named.next()) == 1
        await registry.put("service/deregister/w2")
        assert await now() == {}
