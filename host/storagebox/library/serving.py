"""The search API on a Unix socket that only its owner may open, for one application."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn

from storagebox.search.server.app import create
from storagebox.search.server.endpoint import App
from storagebox.search.writes.application import Application
from storagebox.search.writes.indices import Report

_GRACE_S: Final = 1


class One:
    """An application, and no other."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def get(self, app_id: str) -> Application | None:
        """It, by its name."""
        return self._application if app_id == self._application.app_id else None


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """None: the box says when it is over, by the end of stdin."""
        yield


class Serving:
    """`run` until `end`."""

    def __init__(self, application: Application, path: Path, report: Report) -> None:
        """Listens at `path` at once. Raises OSError."""
        app: App
        app, self._service = create(One(application), report=report)
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
                ws="none",
            )
        )
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        self._socket.listen()

    async def run(self) -> None:
        """Serve."""
        try:
            await self._server.serve([self._socket])
        finally:
            self._path.unlink(missing_ok=True)
            self._service.turns.close()

    def end(self) -> None:
        """Finish what is being answered, then end `run`."""
        self._server.should_exit = True
