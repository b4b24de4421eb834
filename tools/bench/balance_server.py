"""A real HTTP server, uvicorn in a process of its own, that fails as it is told on its stdin.

    python -m tools.bench.balance_server PORT

It takes a line a command and answers each with "ok": `well`, `slow`, `errors 500`, `errors 503`,
`reset` (RST to every connection, or amid an answer), `down` (connections are refused, those that
are open get a RST) and `blackhole` (nothing is taken, answered or refused). Killing and stopping
is up to whoever started it.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import IO, Any, Final, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from storagebox.balance.reporting.asgi import Reporting

WORK_S: Final = 0.005
"""Mean of what a request takes; lognormal with this spread."""

SPREAD: Final = 0.5
SLOWER: Final = 50
"""How many times as long it takes when slow."""

BODY: Final = b"x" * 1024
_FILLERS: Final = 4


class Behaviour:
    """What the server does with requests now."""

    def __init__(self) -> None:
        self.mode = "well"
        self.connections: set[Connection] = set()
        self.random = random.Random(1)

    def reset_all(self) -> None:
        """RST to every connection."""
        for connection in list(self.connections):
            connection.reset()


class Connection(H11Protocol):
    """uvicorn's protocol, that can be rude."""

    behaviour: Behaviour

    def __init__(self, config: Config, server_state: ServerState) -> None:
        super().__init__(config, server_state, {"connection": self})

    def connection_made(self, transport: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self.behaviour.connections.add(self)
        if self.behaviour.mode == "reset" and self.behaviour.random.random() < 0.5:
            self.reset()

    def connection_lost(self, exc: Exception | None) -> None:
        self.behaviour.connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.behaviour.mode != "blackhole":
            super().data_received(data)

    def reset(self) -> None:
        """Close with a RST."""
        sock = self.transport.get_extra_info("socket")
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


def _application(behaviour: Behaviour) -> Starlette:
    async def work(request: Request) -> Response:
        if behaviour.mode.startswith("errors"):
            return PlainTextResponse("no", int(behaviour.mode.split()[1]))
        drawn = behaviour.random.lognormvariate(-SPREAD * SPREAD / 2, SPREAD)
        await asyncio.sleep(WORK_S * drawn * (SLOWER if behaviour.mode == "slow" else 1))
        if behaviour.mode == "blackhole":
            await asyncio.Event().wait()
        if behaviour.mode == "reset":
            return StreamingResponse(_torn(request), headers={"content-length": str(len(BODY))})
        return Response(BODY)

    async def health(_: Request) -> Response:
        return PlainTextResponse("well")

    return Starlette(
        routes=[Route("/work", work, methods=["GET", "POST"]), Route("/health", health)]
    )


async def _torn(request: Request) -> AsyncGenerator[bytes]:
    yield BODY[: len(BODY) // 2]
    request.state.connection.reset()
    yield b""


class Listening:
    """The listening socket, which can refuse, and swallow what comes."""

    def __init__(self, port: int, behaviour: Behaviour) -> None:
        self._port = port
        self._behaviour = behaviour
        application: Any = Reporting(cast(Any, _application(behaviour)), processors=1)
        self._config = Config(application, log_level="critical", lifespan="off")
        self._config.load()
        self._state = ServerState()
        self._sock: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._fillers: list[socket.socket] = []

    async def open(self) -> None:
        """Take connections, if it does not yet."""
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        if self._server is not None:
            return
        if self._sock is None:
            # By its protocol asyncio knows that it is TCP, and has small answers leave at once.
            self._sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._sock.bind(("127.0.0.1", self._port))
            self._sock.setblocking(False)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._config, self._state), sock=self._sock.dup(), backlog=2048
        )

    def swallow(self) -> None:
        """Take none, and have the system drop what comes: its queue is full."""
        self._close_server()
        assert self._sock is not None
        self._sock.listen(0)
        for _ in range(_FILLERS):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self._port))
            self._fillers.append(filler)

    def refuse(self) -> None:
        """Not to be there at all."""
        self._close_server()
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self._behaviour.reset_all()

    def _close_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


async def _serve(port: int) -> None:
    behaviour = Connection.behaviour = Behaviour()
    listening = Listening(port, behaviour)
    await listening.open()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    print("ok", flush=True)
    while command := (await commands.readline()).decode().strip():
        behaviour.mode = command
        if command == "blackhole":
            listening.swallow()
        elif command == "down":
            listening.refuse()
        else:
            await listening.open()
        if command == "reset":
            behaviour.reset_all()
        print("ok", flush=True)


class Server:
    """The process, from outside."""

    def __init__(self, port: int = 0) -> None:
        self.port = port or _free_port()
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tools.bench.balance_server", str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._heard()

    def _heard(self) -> None:
        told = cast(IO[bytes], self.process.stdout).readline()
        if told != b"ok\n":
            raise RuntimeError(f"the server at port {self.port} ended: see what it printed")

    def tell(self, command: str) -> None:
        """Have it behave otherwise; returns once it does."""
        pipe = cast(IO[bytes], self.process.stdin)
        pipe.write(command.encode() + b"\n")
        pipe.flush()
        self._heard()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def restart(self) -> None:
        """Another process at the same port; the old one must have been killed."""
        self._close()
        self._start()

    def _close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                cast(IO[bytes], pipe).close()

    def close(self) -> None:
        """Kill it, whatever state it is in."""
        self._close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
