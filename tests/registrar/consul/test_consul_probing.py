"""HTTP and TCP checks against servers on loopback: what each kind of end is told as."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from storagebox.registrar.consul.agent import Agent
from storagebox.registrar.consul.catalog import Catalog
from storagebox.registrar.consul.definitions import CheckDefinition, Probe
from storagebox.registrar.consul.probing import Prober
from tests.registrar.consul.served import NODE

TIMED = False
WAIT_S = 30.0


@asynccontextmanager
async def server(reply: bytes, heard: list[bytes] | None = None) -> AsyncIterator[int]:
    """Answers each connection by these bytes; by nothing at all if there are none."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(head)
        if reply:
            place = b"/elsewhere" if head.startswith(b"GET /moved") else b""
            moved = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
            writer.write(moved if place else reply)
            await writer.drain()
            writer.close()
        else:
            await reader.read()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def result(probe: Probe) -> tuple[str, str]:
    """The status and output that the first probe leads to."""
    agent = Agent(Catalog(), NODE)
    prober = Prober(agent, lambda: 0.0)
    prober.start()
    changed = asyncio.Event()

    noted: list[tuple[str, str]] = []

    def note(_: str, of: Any, status: str, output: str, now_s: float) -> None:
        noted.append((status, output))
        changed.set()

    agent.note_result = note  # type: ignore[method-assign]
    agent.register_check(CheckDefinition("c", "c", probe=probe), 0.0)
    try:
        await asyncio.wait_for(changed.wait(), WAIT_S)
    finally:
        await prober.close()
    return noted[0]


def answer(status: str, body: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("200 OK", "passing"),
        ("204 No Content", "passing"),
        ("429 Too Many Requests", "warning"),
        ("500 Internal Server Error", "critical"),
    ],
)
def test_an_http_answer_is_judged_and_told(status: str, expected: str) -> None:
    async def test() -> None:
        async with server(answer(status, "" if "204" in status else "fine")) as port:
            url = f"http://127.0.0.1:{port}/health"
            body = "" if "204" in status else "fine"
            told = f"HTTP GET {url}: {status} Output: {body}"
            assert await result(Probe(60, http=url)) == (expected, told)

    asyncio.run(test())


def test_a_request_looks_like_consuls_and_has_what_was_asked_for():
    async def test() -> None:
        heard: list[bytes] = []
        async with server(answer("200 OK"), heard) as port:
            url = f"http://127.0.0.1:{port}/moved"
            headers = {"X-One": ("1", "2"), "User-Agent": ("mine",)}
            await result(Probe(60, http=url, headers=headers))
            await result(Probe(60, http=url.replace("moved", ""), method="PUT", body="beat"))
        first = heard[0].decode().lower()
        assert "x-one: 1\r\nx-one: 2" in first
        assert "user-agent: mine\r\n" in first
        assert heard[1].startswith(b"GET /elsewhere"), "a redirect is followed"
        last = heard[-1].decode()
        assert last.startswith("PUT / HTTP/1.1")
        for line in ("User-Agent: Consul Health Check", "Accept: text/plain, text/*, */*"):
            assert line in last
        assert "Connection: close" in last
        assert "Content-Length: 4" in last.title()

    asyncio.run(test())


def test_a_long_body_is_read_no_further_than_it_is_kept():
    async def test() -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
        async with server(head + b"x" * 9000) as port:
            url = f"http://127.0.0.1:{port}/"
            status, output = await result(Probe(60, http=url, output_max_bytes=100))
        assert status == "passing"
        assert output.endswith("Output: " + "x" * 100)

    asyncio.run(test())


def test_what_cannot_be_reached_is_critical_and_says_why():
    async def test() -> None:
        async with server(b"") as silent:
            pass
        url = f"http://127.0.0.1:{silent}/"
        refused = f"dial tcp 127.0.0.1:{silent}: connect: connection refused"
        assert await result(Probe(60, http=url)) == ("critical", f'Get "{url}": {refused}')
        assert await result(Probe(60, tcp=f"127.0.0.1:{silent}")) == ("critical", refused)
        async with server(b"") as silent:
            url = f"http://127.0.0.1:{silent}/"
            status, output = await result(Probe(60, timeout_s=0.05, http=url))
        assert status == "critical"
        assert "context deadline exceeded" in output
        for bad in ("::bad", "http://", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"):
            status, output = await result(Probe(60, http=bad))
            assert status == "critical"
            assert output.startswith(f'Get "{bad}": ')
            assert len(output) > len(f'Get "{bad}": ')
        for bad in ("nonsense", "127.0.0.1:x", ":", "127.0.0.1:99999"):
            assert (await result(Probe(60, tcp=bad)))[0] == "critical"

    asyncio.run(test())


def test_a_tcp_check_only_connects():
    async def test() -> None:
        async with server(b"") as port:
            told = f"TCP connect 127.0.0.1:{port}: Success"
            assert await result(Probe(60, tcp=f"127.0.0.1:{port}")) == ("passing", told)

    asyncio.run(test())


def test_probes_end_with_their_checks():
    async def test() -> None:
        agent = Agent(Catalog(), NODE)
        prober = Prober(agent, lambda: 0.5)
        prober.start()
        for number in range(5):
            probe = Probe(60, tcp=f"127.0.0.1:{number + 1}")
            agent.register_check(CheckDefinition(str(number), "c", probe=probe), 0.0)
        assert len(prober._asking) == 5
        for number in range(4):
            agent.deregister_check(str(number))
        assert len(prober._asking) == 1
        await prober.close()

    asyncio.run(test())


def test_a_ttl_runs_out_by_itself_however_short_it_is():
    async def test() -> None:
        agent = Agent(Catalog(), NODE)
        prober = Prober(agent, lambda: 0.0)
        prober.start()
        loop = asyncio.get_running_loop()
        told = asyncio.Event()
        end = agent.catalog.wakes.watch(("checks",), told.set)
        agent.register_check(CheckDefinition("t", "t", "passing", ttl_s=0.02), loop.time())
        while agent.checks["t"].check.status == "passing":
            told.clear()
            await asyncio.wait_for(told.wait(), WAIT_S)
        end()
        await prober.close()

    asyncio.run(test())
