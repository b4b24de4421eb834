"""The DNS responder's sockets: UDP, and TCP at the same port."""

from __future__ import annotations

import asyncio
import errno
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from . import names
from .catalog import Catalog

# A connection that asks nothing is closed.
_IDLE_S: Final = 10.0
_MAX_CONNECTIONS: Final = 32
_MAX_QUESTION_BYTES: Final = 4096
# Of ports that the kernel gives for one protocol, this many may be somebody's for the other.
_TRIALS: Final = 16


class DnsServer:
    """Answers at one address until it is closed."""

    def __init__(
        self, catalog: Catalog, fault: Callable[[BaseException], object], seed: int | None = None
    ) -> None:
        self._catalog = catalog
        self._fault = fault
        self._chance = random.Random(seed)
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which for 0 is any that is free for both protocols. Raises OSError."""
        for _ in range(_TRIALS):
            try:
                return await self._listen(host, port)
            except OSError as fault:
                await self.close()
                if port or fault.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"{host} has no port that is free for UDP and TCP")

    async def _listen(self, host: str, port: int) -> int:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._answer), local_addr=(host, port)
        )
        self._udp = transport
        port = transport.get_extra_info("sockname")[1]
        self._tcp = await asyncio.start_server(self._connected, host, port)
        return port

    async def close(self) -> None:
        """Close all sockets."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _answer(self, question: bytes, *, tcp: bool = False) -> bytes | None:
        try:
            return names.answer(question, self._catalog, self._chance.shuffle, tcp=tcp)
        except Exception as error:
            self._fault(error)
            return None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= _MAX_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        try:
            with suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
                await self._converse(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(_IDLE_S):
                size = int.from_bytes(await reader.readexactly(2), "big")
                if size > _MAX_QUESTION_BYTES:
                    return
                answer = self._answer(await reader.readexactly(size), tcp=True)
                if answer is None:
                    return
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        opened: socket.socket | None = transport.get_extra_info("socket")
        if opened is not None:
            opened.setblocking(False)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self._answer(data) if len(data) <= _MAX_QUESTION_BYTES else None
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)
