"""The process: sockets, signals, and an end that clients notice in time.

Told to end, the server keeps its sockets for a while and answers 503, so that clients turn to
another host, and has its registry send nobody new; only then does it close them. Python's client
never tries another host when a connection is refused, so a socket that is gone is worse than an
answer that says so.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final, Protocol

import uvicorn

from storagebox.balance.reporting.asgi import Reporting
from storagebox.search.server.connections import Connection
from storagebox.search.server.endpoint import App, Service
from storagebox.search.server.served import CannotServe, Served

DRAIN_S: Final = 2.0
# What is still being answered then is given up.
_GRACE_S: Final = 10
# Clients keep connections; one that is closed just as it is used again costs a try.
_KEEP_ALIVE_S: Final = 75
_BACKLOG: Final = 2048
# How often it is looked for applications that nobody asks any more.
_TIDY_S: Final = 60.0
# How long a quota that was changed may wait to hold.
_QUOTAS_S: Final = 1.0
# Beside a thread that works, the event loop waits for its turn this long at most.
_SWITCH_S: Final = 0.001


class Registered(Protocol):
    """A place where clients find this server, such as `storagebox.balance.registration.Entry`."""

    async def drain(self) -> None:
        """Have nobody new sent here."""
        ...


Registering = Callable[[int], AbstractAsyncContextManager[Registered]]
"""Has clients find this server, once it knows its port and for as long as it serves."""


class Server(uvicorn.Server):
    """uvicorn's, that drains first."""

    def __init__(
        self,
        app: App,
        service: Service,
        served: Served,
        host: str,
        port: int,
        started: Callable[[str, int], None],
        drain_s: float = DRAIN_S,
        registering: Sequence[Registering] = (),
    ) -> None:
        """`started` is told the address once it listens; port 0 is any free one."""
        super().__init__(
            uvicorn.Config(
                Reporting(app, processors=1),
                host=host,
                port=port,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_GRACE_S,
                backlog=_BACKLOG,
                ws="none",
                loop="asyncio",
                http=Connection,
            )
        )
        self._service = service
        self._served = served
        self._told = started
        self._drain_s = drain_s
        self._registering = registering
        self._entries: list[Registered] = []
        self._registered = AsyncExitStack()

    async def startup(self, sockets: Any = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started:
            address = self.servers[0].sockets[0].getsockname()
            self._told(address[0], address[1])
            for registered in self._registering:
                entry = await self._registered.enter_async_context(registered(address[1]))
                self._entries.append(entry)
            self._beside = [
                asyncio.create_task(self._tidy()),
                asyncio.create_task(self._read_quotas()),
            ]

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A first signal drains, a second one ends it."""
        if self._service.draining or not self._drain_s or not self.started:
            self.should_exit = True
            return
        self._service.draining = True
        self._beside += [asyncio.create_task(entry.drain()) for entry in self._entries]
        self._service.report("drain.begin", seconds=self._drain_s)
        asyncio.get_running_loop().call_later(self._drain_s, self._end)

    async def shutdown(self, sockets: Any = None) -> None:
        """Answer what has been asked, and end."""
        await self._registered.aclose()
        await super().shutdown(sockets)

    def _end(self) -> None:
        self.should_exit = True

    async def _read_quotas(self) -> None:
        while True:
            await asyncio.sleep(_QUOTAS_S)
            self._service.read_quotas()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_S)
            for app_id in await asyncio.to_thread(self._served.close_idle):
                self._service.forget(app_id)


def run(server: Server) -> None:
    """Serve until told to end. Raises CannotServe."""
    sys.setswitchinterval(_SWITCH_S)
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())  # it is said here
    try:
        server.run()
    except SystemExit:
        address = f"{server.config.host}:{server.config.port}"
        raise CannotServe(
            f"can't listen at {address}: is it taken, or not this machine's?"
        ) from None
