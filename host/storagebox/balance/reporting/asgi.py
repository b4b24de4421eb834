"""Load reports of any ASGI server (Starlette, FastAPI, ...), in one line.

    app = Reporting(app)

Each answer bears the header of `orca`, and `PROBE_PATH` answers at once and isn't counted, for
policies that probe (Prequal).
"""

import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from storagebox.balance.orca import HEADER, as_text
from storagebox.balance.reporting.account import Account

PROBE_PATH = "/.well-known/load"
"""Where a server tells its load and does nothing else."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Reporting:
    """Wraps an ASGI application.

    Args:
        app: the application.
        processors: how many it may use; an event loop with one thread uses one.
        window_s: over how long utilisation and rates are averaged.
        clock, cpu_clock: seconds, monotonic and of the process.
    """

    def __init__(
        self,
        app: App,
        *,
        processors: float | None = None,
        window_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._app = app
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._account = Account(processors or os.cpu_count() or 1, window_s, clock(), cpu_clock())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == PROBE_PATH:
            await self._answer_probe(send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        served = self._account.began(self._clock())
        status = 500  # what a server answers if the application raises

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), self._header(answered=1)]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._account.ended(served, self._clock(), self._cpu_clock(), failed=status >= 500)

    async def _answer_probe(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": [self._header()]})
        await send({"type": "http.response.body", "body": b""})

    def _header(self, answered: int = 0) -> tuple[bytes, bytes]:
        return HEADER.encode(), as_text(self._account.report(answered)).encode()
