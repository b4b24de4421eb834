"""The process: sockets, signals, and an end that clients notice in time.

Told to end, the server keeps its sockets for a while and answers 503, so that clients turn to
another host; only then does it close them. Python's client never tries another host when a
connection is refused, so a socket that is gone is worse than an answer that says so.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import uvicorn

from storagebox.search.server.endpoint import App, Service
from storagebox.search.writes.application import Application, Unavailable
from storagebox.search.writes.indices import Report

DEFAULT_NAME: Final = "phantom"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")

DRAIN_S: Final = 2.0
# What is still being answered then is given up.
_GRACE_S: Final = 10
# Clients keep connections; one that is closed just as it is used again costs a try.
_KEEP_ALIVE_S: Final = 75
_BACKLOG: Final = 2048
# Beside a thread that works, the event loop waits for its turn this long at most.
_SWITCH_S: Final = 0.001


class CannotServe(Exception):
    """Why nothing is served; the message names the thing, the fault and the remedy."""


class Opened:
    """The applications in a folder that are served."""

    def __init__(self) -> None:
        self._open: dict[str, Application] = {}
        self.made: dict[str, str] = {}  # new ones' admin keys, to be told once

    @property
    def names(self) -> list[str]:
        """Of all that are served."""
        return sorted(self._open)

    def get(self, app_id: str) -> Application | None:
        """An application, or None if there is no such."""
        return self._open.get(app_id)

    def add(self, application: Application, made: bool) -> None:
        """Serve another one; `made` if it is new."""
        self._open[application.app_id] = application
        if made:
            self.made[application.app_id] = application.admin_key

    def close(self) -> None:
        """Close them all."""
        for application in self._open.values():
            application.close()


def open_all(folder: Path, names: Sequence[str], admin_key: str | None, report: Report) -> Opened:
    """The applications `names`, each made if there is none; without names, all in `folder`.

    `admin_key` is that of the only one. Raises CannotServe.
    """
    if not names:
        found = sorted(path.name for path in folder.glob("*") if path.is_dir())
        names = found or [DEFAULT_NAME]
    if admin_key is not None and len(names) != 1:
        raise CannotServe("an admin key is one application's: name that, and no other")
    opened = Opened()
    try:
        for name in names:
            if not _NAME.fullmatch(name):
                raise CannotServe(
                    f"{name!r} is no name of an application: use A-Z, a-z, 0-9, _, -"
                )
            made = admin_key is None and not (folder / name).exists()
            opened.add(
                Application.open(folder / name, name, report=report, admin_key=admin_key), made
            )
    except Unavailable as fault:
        opened.close()
        raise CannotServe(str(fault)) from None
    except CannotServe:
        opened.close()
        raise
    return opened


class Server(uvicorn.Server):
    """uvicorn's, that drains first."""

    def __init__(
        self,
        app: App,
        service: Service,
        host: str,
        port: int,
        started: Callable[[str, int], None],
        drain_s: float = DRAIN_S,
    ) -> None:
        """`started` is told the address once it listens; port 0 is any free one."""
        super().__init__(
            uvicorn.Config(
                app,
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
            )
        )
        self._service = service
        self._told = started
        self._drain_s = drain_s

    async def startup(self, sockets: Any = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self.started:
            address = self.servers[0].sockets[0].getsockname()
            self._told(address[0], address[1])

    def handle_exit(self, sig: int, frame: Any) -> None:
        """A first signal drains, a second one ends it."""
        if self._service.draining or not self._drain_s or not self.started:
            self.should_exit = True
            return
        self._service.draining = True
        self._service.report("drain.begin", seconds=self._drain_s)
        asyncio.get_running_loop().call_later(self._drain_s, self._end)

    def _end(self) -> None:
        self.should_exit = True


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
