"""Servers are found by a Consul agent: by this project's own, and by Consul's where installed."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
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

TIMED = False


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@asynccontextmanager
async def agent(tmp_path: Path) -> AsyncGenerator[tuple[str, int]]:
    """Consul's own: its URL, and its DNS port."""
    program = shutil.which("consul")
    if program is None:
        pytest.skip("Consul isn't installed, and no current Debian has it")
    names = ("http", "dns", "server", "serf_lan", "serf_wan")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    settings = tmp_path / "consul.json"
    settings.write_text(
        json.dumps({"disable_update_check": True, "ports": {**ports, "grpc": -1}}), "utf-8"
    )
    command = [program, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1"]
    log = (tmp_path / "consul.log").open("wb")
    with log:
        process = subprocess.Popen([*command, f"-config-file={settings}"], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{ports['http']}", ports["dns"]
    finally:
        process.kill()
        process.wait()


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

    async def ready(self) -> None:
        for _ in range(600):
            try:
                known = (await self._client.get("/v1/health/state/any")).json()
                if (await self._client.get("/v1/status/leader")).json() and known:
                    return
            except (httpx.HTTPError, ValueError):
                pass
            await asyncio.sleep(0.05)
        pytest.fail("the agent isn't ready within 30 s")

    async def put(self, path: str, **said: Any) -> None:
        (await self._client.put(f"/v1/agent/{path}", **said)).raise_for_status()

    async def register(self, id_: str, port: int, warning: int = 1, passing: int = 3) -> None:
        service = {"ID": id_, "Name": "web", "Address": "127.0.0.1", "Port": port}
        service |= {"Weights": {"Passing": passing, "Warning": warning}, "Meta": {"zone": "attic"}}
        service["Check"] = {"TTL": "60s", "Status": "passing"}
        await self.put("service/register", json=service)

    async def close(self) -> None:
        await self._client.aclose()


@pytest.mark.parametrize("serve", [agent, own])
def test_every_change_of_a_service_is_found(serve: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with serve(tmp_path) as (url, dns_port):
            registry = Registry(url)
            await registry.ready()
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
