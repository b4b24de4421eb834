"""The search API as one ASGI application."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, Router

from storagebox.search.server.endpoint import (
    App,
    Applications,
    Receive,
    Scope,
    Send,
    Service,
    refuse,
)
from storagebox.search.server.routes import routes
from storagebox.search.server.tenant import Share
from storagebox.search.server.turns import Turns
from storagebox.search.writes.indices import Report

# Python runs one thread at a time; a second one works while the first waits for a disk or counts.
_THREADS: Final = 2
_PREFLIGHT_S: Final = 86_400


def create(
    applications: Applications,
    *,
    share: Share | None = None,
    threads: int = _THREADS,
    clock: Callable[[], float] = time.time,
    report: Report | None = None,
) -> tuple[App, Service]:
    """The application that serves `applications`, and what all its requests share.

    `threads` are for what takes long, of all applications together; `share` is what one may take.
    """
    service = Service(applications, Turns(threads), share or Share(), clock, report or _unheard)
    router = Router(
        [*routes(service), Route("/1/isalive", _alive(service))],
        redirect_slashes=False,
        default=refuse("Path not found", 404),
    )
    app = CORSMiddleware(
        _encoded_paths(router),
        allow_origins=["*"],
        allow_methods=["GET", "POST", "PUT", "DELETE", "OPTIONS"],
        allow_headers=["*"],
        expose_headers=["Correlation-ID", "Retry-After"],
        max_age=_PREFLIGHT_S,
    )
    return app, service


def _encoded_paths(router: App) -> App:
    """Routes by the path as it came: an objectID may hold a slash, percent-encoded."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["raw_path"].decode("latin-1")
            path = path.replace("%2A", "*").replace("%2a", "*")
            # Who deletes a record and has an empty objectID must not delete the index.
            if scope["method"] != "DELETE":
                path = path.rstrip("/") or "/"
            scope = {**scope, "path": path, "root_path": ""}
        await router(scope, receive, send)

    return app


def _alive(service: Service) -> Any:
    """Answers whoever wants to know whether to send requests here."""
    alive, leaving = refuse("server is alive", 200), refuse("server is going away", 503)

    class Alive:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await (leaving if service.draining else alive)(scope, receive, send)

    return Alive()


def _unheard(event: str, /, **fields: Any) -> None:
    """For who wants to know nothing."""
