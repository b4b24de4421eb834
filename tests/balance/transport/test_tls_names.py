"""Which name a TLS connection asks for: the program's, never the address that was chosen."""

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
import pytest

from storagebox.balance import Endpoint
from storagebox.balance.transport import AsyncBalancedTransport, BalancedTransport, Settings
from storagebox.balance.transport.aiohttp_connector import BalancedConnector

ONCE = Settings(retries=None)
OWN = {"sni_hostname": "own.example"}


class Greeted:
    """Where it listens, and the first bytes of each connection: a ClientHello names its server."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.hellos: list[bytes] = []

    def asked_for(self) -> list[str]:
        """The name in each greeting."""
        return [
            name
            for hello in self.hellos
            for name in ("search.example", "own.example", "127.0.0.1")
            if name.encode() in hello
        ]


@contextmanager
def greeted() -> Generator[Greeted]:
    """A server that hangs up once it has been greeted."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Greeted(Endpoint("127.0.0.1", listening.getsockname()[1]))

        def serve() -> None:
            while True:
                try:
                    caller, _ = listening.accept()
                except OSError:
                    return
                with caller:
                    made.hellos.append(caller.recv(65536))

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        yield made
        listening.shutdown(socket.SHUT_RDWR)
        serving.join(10)


@pytest.mark.parametrize(
    ("extensions", "name"), [({}, "search.example"), (OWN, "own.example")], ids=["url", "own"]
)
def test_httpx_asks_for_the_name_of_the_url_or_for_the_programs_own(
    extensions: dict[str, Any], name: str
):
    async def main(endpoint: Endpoint) -> None:
        made = AsyncBalancedTransport([endpoint], settings=ONCE)
        async with httpx.AsyncClient(transport=made) as search:
            with pytest.raises(httpx.ConnectError):
                await search.get("https://search.example/", extensions=extensions)

    with greeted() as server:
        asyncio.run(main(server.endpoint))
        made = BalancedTransport([server.endpoint], settings=ONCE)
        with httpx.Client(transport=made) as search, pytest.raises(httpx.ConnectError):
            search.get("https://search.example/", extensions=extensions)
        assert server.asked_for() == [name, name]


@pytest.mark.parametrize(
    ("options", "name"),
    [({}, "search.example"), ({"server_hostname": "own.example"}, "own.example")],
    ids=["url", "own"],
)
def test_aiohttp_asks_for_the_name_of_the_url_or_for_the_programs_own(
    options: dict[str, Any], name: str
):
    async def main(endpoint: Endpoint) -> None:
        connector = BalancedConnector([endpoint], settings=ONCE)
        async with aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get("https://search.example/", **options)

    with greeted() as server:
        asyncio.run(main(server.endpoint))
        assert server.asked_for() == [name]


def test_without_tls_nobody_asks_for_a_name_but_in_the_host_header():
    with greeted() as server:
        made = BalancedTransport([server.endpoint], settings=ONCE)
        with httpx.Client(transport=made) as search, pytest.raises(httpx.TransportError):
            search.get("http://search.example/")
        assert server.hellos[0].startswith(b"GET / HTTP/1.1\r\nHost: search.example\r\n")
