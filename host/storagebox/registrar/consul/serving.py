"""All of it at work in one event loop: HTTP, DNS, checks and the house.

async with Serving(node, journal) as serving:
    await serving.http("127.0.0.1", 8500)
    await serving.dns("127.0.0.1", 8600)
"""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

import uvicorn

from storagebox.journal import Journal

from . import agent_endpoints, answers, catalog_endpoints
from .agent import Agent
from .blocking import Waiting
from .catalog import Catalog
from .definitions import Node
from .dns import DnsServer
from .house import House
from .http import create
from .probing import Prober

MAX_WAITING: Final = 1024
# One client that leaks its waiting requests is not to take everybody's places.
MAX_WAITING_EACH: Final = 256
_MAX_CONNECTIONS: Final = 1400
_DESCRIPTORS: Final = 2048
_GRACE_S: Final = 1
_KEEP_ALIVE_S: Final = 75
_BACKLOG: Final = 256
_HOUSE_TICK_S: Final = 5.0


class CannotServe(Exception):
    """An address can't be had; one line that says why and what to do."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """None: who runs this decides when it ends."""
        yield


class Serving:
    """Serves one catalogue at any number of addresses, until the block ends."""

    def __init__(self, node: Node, journal: Journal, seed: int | None = None) -> None:
        chance = random.Random(seed)
        # Milliseconds: after a restart indexes go on above those that clients know, so that they
        # hear at once that much has changed, unless the clock went back.
        self.catalog = Catalog(first_index=time.time_ns() // 1_000_000)
        self.agent = Agent(self.catalog, node)
        self.catalog.put_service(node.name, answers.consul_service())
        self.house = House(self.agent)
        self.waiting = Waiting(MAX_WAITING, MAX_WAITING_EACH, chance.random)
        self._journal = journal
        self._prober = Prober(self.agent, chance.random)
        self._servers: list[tuple[_Server, asyncio.Task[None]]] = []
        self._dns: list[DnsServer] = []
        self._ticking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Serving:
        logging.getLogger("uvicorn").addHandler(logging.NullHandler())
        _make_room()
        self._prober.start()
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ticking:
            self._ticking.cancel()
        self.waiting.end(self.catalog.wakes)
        for server, _task in self._servers:
            server.should_exit = True
        for dns in self._dns:
            await dns.close()
        await self._prober.close()
        await asyncio.gather(*(task for _, task in self._servers), return_exceptions=True)

    async def http(self, host: str, port: int) -> int:
        """Serve the API at an address; the port, which is any free one for 0.

        Raises CannotServe.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((host, port))
            opened.listen(_BACKLOG)
        except OSError as fault:
            opened.close()
            raise _cannot("HTTP", host, port, fault) from None
        server = _Server(self._config())
        self._servers.append((server, asyncio.create_task(server.serve([opened]))))
        return opened.getsockname()[1]

    async def dns(self, host: str, port: int) -> int:
        """Serve names at an address, by UDP and TCP; the port. Raises CannotServe."""
        server = DnsServer(self.catalog, self._note)
        try:
            bound = await server.start(host, port)
        except OSError as fault:
            raise _cannot("DNS", host, port, fault) from None
        self._dns.append(server)
        return bound

    def _config(self) -> uvicorn.Config:
        routes = {**agent_endpoints.routes(), **catalog_endpoints.routes()}
        app: Any = create(self.agent, self.waiting, routes, fault=self._note)
        return uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
            ws="none",
        )

    def _note(self, error: BaseException) -> None:
        self._journal.fault("consul", error)

    async def _tick(self) -> None:
        while True:
            with suppress(Exception):
                self.house.tick(time.monotonic())
            await asyncio.sleep(_HOUSE_TICK_S)


def _make_room() -> None:
    """For as many connections as are served: most systems allow a process 1024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _cannot(what: str, host: str, port: int, fault: OSError) -> CannotServe:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reason = (fault.strerror or str(fault)).lower()
    return CannotServe(f"{what} at {where}: {reason}: is it taken, or not this machine's?")
