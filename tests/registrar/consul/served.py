"""An agent of ours in this process, asked without sockets, with a clock that a test moves."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from storagebox.registrar.consul import agent_endpoints, answers, catalog_endpoints
from storagebox.registrar.consul.agent import Agent
from storagebox.registrar.consul.blocking import Waiting
from storagebox.registrar.consul.catalog import Catalog
from storagebox.registrar.consul.definitions import Node
from storagebox.registrar.consul.http import create

NODE = Node(
    "n1",
    "127.0.0.1",
    "35827f45-bf54-92b0-3557-35cd873cbcbf",
    dict.fromkeys(("lan", "lan_ipv4", "wan", "wan_ipv4"), "127.0.0.1"),
    {"consul-network-segment": ""},
)


class Served:
    """`now_s` is the agent's clock; what waits for real waits by the loop's."""

    def __init__(self, *, limit: int = 100, limit_each: int = 100, jitter: float = 0.0) -> None:
        self.now_s = 1000.0
        self.catalog = Catalog(first_index=5)
        self.agent = Agent(self.catalog, NODE)
        self.catalog.put_service(NODE.name, answers.consul_service())
        self.waiting = Waiting(limit, limit_each, lambda: jitter)
        self.faults: list[BaseException] = []
        routes = {**agent_endpoints.routes(), **catalog_endpoints.routes()}
        self.app = create(
            self.agent, self.waiting, routes, now_s=lambda: self.now_s, fault=self.faults.append
        )
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1:8500"
        )

    async def ask(self, method: str, path: str, body: Any = b"") -> httpx.Response:
        if isinstance(body, dict | list):
            return await self.client.request(method, path, json=body)
        return await self.client.request(method, path, content=body)

    async def get(self, path: str) -> Any:
        answer = await self.ask("GET", f"/v1/{path}")
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer.json()

    async def put(self, path: str, body: Any = b"") -> None:
        answer = await self.ask("PUT", f"/v1/{path}", body)
        assert answer.status_code == 200, (path, answer.status_code, answer.text)

    def passes(self, seconds: float) -> None:
        self.now_s += seconds
        self.agent.tick(self.now_s)


async def settle() -> None:
    """Let everything that can go on go on, until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)
