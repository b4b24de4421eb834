"""Debian's etcd tells who is there: range and watch, compaction, a restart, lost data."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from storagebox.balance.resolver.backoff import Backoff
from storagebox.balance.resolver.etcd import Etcd
from tests.balance.resolver.published import watching

TIMED = False
PREFIX = "services/search/"
SOON = Backoff(first_s=0.02, max_s=0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class EtcdServer:
    """One of its own folder, that can be stopped and started again."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        peer = f"http://127.0.0.1:{free_port()}"
        command = [self.program, f"--data-dir={self.folder}", f"--listen-client-urls={self.url}"]
        command += [f"--advertise-client-urls={self.url}", f"--listen-peer-urls={peer}"]
        command += [f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"]
        log = self.folder.with_suffix(".log").open("ab")
        with log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        async with httpx.AsyncClient(base_url=self.url) as client:
            for _ in range(600):
                try:
                    if (await client.get("/health")).json()["health"] == "true":
                        return
                except (httpx.HTTPError, ValueError, KeyError):
                    pass
                await asyncio.sleep(0.05)
        pytest.fail(f"etcd doesn't start: {self.folder.with_suffix('.log').read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def call(self, path: str, **said: Any) -> Mapping[str, Any]:
        async with httpx.AsyncClient(base_url=self.url) as client:
            answer = await client.post(f"/v3/kv/{path}", json=said)
            return answer.raise_for_status().json()

    async def put(self, id_: str, value: bytes | Mapping[str, Any]) -> int:
        told = value if isinstance(value, bytes) else json.dumps(value).encode()
        answer = await self.call("put", key=key(id_), value=base64.b64encode(told).decode())
        return int(answer["header"]["revision"])


def key(id_: str) -> str:
    return base64.b64encode(f"{PREFIX}{id_}".encode()).decode()


@asynccontextmanager
async def etcd(tmp_path: Path) -> AsyncGenerator[EtcdServer]:
    program = shutil.which("etcd")
    if program is None:
        reason = "needs etcd: apt install etcd-server"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    server = EtcdServer(program, tmp_path / "etcd")
    try:
        await server.start()
        yield server
    finally:
        server.stop()


def test_etcd_tells_who_is_there_and_every_change(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with etcd(tmp_path) as server:
            await server.put("a", {"host": "10.0.0.1", "port": 80, "weight": 3, "zone": "attic"})
            await server.call("put", key=base64.b64encode(b"services/searching").decode())
            resolver = Etcd(PREFIX, [server.url], every_s=0.0, backoff=SOON, grace_s=3600.0)
            async with watching(resolver) as published:
                first = (await published.next())["a"]
                assert (first.address, first.weight, first.zone) == ("10.0.0.1:80", 3, "attic")
                await server.put("b", {"host": "10.0.0.2", "port": 80})
                assert (await published.next())["b"].weight is None
                await server.put("a", {"host": "10.0.0.9", "port": 80})
                assert (await published.next())["a"].host == "10.0.0.9"
                await server.call("deleterange", key=key("a"))
                assert set(await published.next()) == {"b"}
                for nonsense in (
                    b"{",
                    b"[]",
                    b'{"host": "h", "port": 0}',
                    b'{"port": 1}',
                    b"\xff",
                ):
                    await server.put("bad", nonsense)
                await server.put("bad", {"host": "h", "port": 80, "weight": -1})
                await server.put("c", {"host": "10.0.0.3", "port": 80})
                assert set(await published.next()) == {"b", "c"}

    asyncio.run(main())
    assert any(
        "bad: endpoint h:80: weight -1 is neither 0" in r.getMessage() for r in caplog.records
    )


def test_an_etcd_that_restarts_compacts_or_loses_its_data_is_followed_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with etcd(tmp_path) as server:
            await server.put("a", {"host": "10.0.0.1", "port": 80})
            nobody = f"http://127.0.0.1:{free_port()}"
            resolver = Etcd(
                PREFIX, [nobody, server.url], every_s=0.0, backoff=SOON, grace_s=3600.0
            )
            async with watching(resolver) as published:
                assert set(await published.next()) == {"a"}
                server.stop()
                await server.start()
                await server.put("b", {"host": "10.0.0.2", "port": 80})
                latest = await server.put("c", {"host": "10.0.0.3", "port": 80})
                await server.call("compaction", revision=str(latest))
                while set(await published.next()) != {"a", "b", "c"}:
                    pass
                server.stop()
                shutil.rmtree(server.folder)
                await server.start()
                assert published.silent, "an empty etcd is not believed at once"
                await server.put("d", {"host": "10.0.0.4", "port": 80})
                assert set(await published.next()) == {"d"}

    asyncio.run(main())
