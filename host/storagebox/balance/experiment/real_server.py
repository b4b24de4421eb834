"""A real server whose speed is known: a process that answers HTTP after as long as it is told.

Work is waiting, not computing, so that a dozen servers fit on one processor. Everything else is
real: sockets, keep-alive, queues, and reports of load in headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.experiment.reports import Reporter
from storagebox.balance.orca import HEADER, as_text

_LOOPBACK = "127.0.0.1"
_START_S = 30.0
_WINDOW_S = 0.5


def forking() -> ForkServerContext:
    """Makes processes that have this module imported already: a server starts at once."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


class RealServer:
    """A server, or a proxy before some, as a process of its own. Use it as a context manager.

    Args:
        context: makes processes.
        workers: requests at a time; the others wait.
        speed: of its work.
        behind: servers that it passes connections on to in turn; then it does no work itself.
    """

    def __init__(
        self,
        context: ForkServerContext,
        workers: int = 1,
        speed: float = 1.0,
        behind: tuple[int, ...] = (),
    ) -> None:
        self._context = context
        self._arguments = (workers, speed, behind)
        self.port = 0
        self._told: Connection
        self._process: ForkServerProcess | None = None

    def __enter__(self) -> RealServer:
        """Starts the process; `wait` until it listens. So several start at the same time."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        return Endpoint(_LOOPBACK, self.port)

    def start(self) -> None:
        """Start the process; at the same port if it had one."""
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=_main, args=(theirs, self.port, *self._arguments), daemon=True
        )
        self._process.start()
        theirs.close()
        self._told = ours

    def wait(self) -> None:
        """Returns once it listens.

        Raises:
            RuntimeError: it didn't start.
        """
        with self._told:
            try:
                if not self._told.poll(_START_S):
                    raise RuntimeError(f"a server process didn't start within {_START_S:g} s")
                self.port = self._told.recv()
            except EOFError:
                raise RuntimeError("a server process ended before it listened") from None

    def kill(self) -> None:
        """End it, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._process = None


def _main(
    tell: Connection, port: int, workers: int, speed: float, behind: tuple[int, ...]
) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(tell, port, workers, speed, behind))


async def _serve(
    tell: Connection, port: int, workers: int, speed: float, behind: tuple[int, ...]
) -> None:
    answering = _Relaying(behind) if behind else _Working(workers, speed)
    server = await asyncio.start_server(answering.serve, _LOOPBACK, port, backlog=1024)
    tell.send(server.sockets[0].getsockname()[1])
    tell.close()
    await server.serve_forever()


class _Working:
    """Answers `GET /SECONDS` once that much work is done."""

    def __init__(self, workers: int, speed: float) -> None:
        self._turns = asyncio.Semaphore(workers)
        self._speed = speed
        self._reporter = Reporter(workers, _WINDOW_S, time.monotonic())
        self._held = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                work_s = float(request.split(b" ", 2)[1][1:])
                writer.write(await self._answer(work_s))
                await writer.drain()
        writer.close()

    async def _answer(self, work_s: float) -> bytes:
        visit = _Visit(time.monotonic(), self._held)
        self._held += 1
        try:
            async with self._turns:
                await asyncio.sleep(work_s / self._speed)
        finally:
            self._held -= 1
        self._reporter.ended(visit, work_s / self._speed, time.monotonic())
        report = as_text(self._reporter.report(self._held))
        return f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{HEADER}: {report}\r\n\r\nok".encode()


class _Visit:
    __slots__ = ("came_s", "in_flight_then")

    def __init__(self, came_s: float, in_flight_then: int) -> None:
        self.came_s = came_s
        self.in_flight_then = in_flight_then


class _Relaying:
    """Passes each connection on to the next server."""

    def __init__(self, ports: tuple[int, ...]) -> None:
        self._ports = ports
        self._turn = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self._ports[self._turn % len(self._ports)]
        self._turn += 1
        try:
            back, forth = await asyncio.open_connection(_LOOPBACK, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pipe(reader, forth), _pipe(back, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
