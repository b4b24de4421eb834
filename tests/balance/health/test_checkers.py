"""What active checks make of servers' answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from storagebox.balance import Endpoint
from storagebox.balance.health.checkers import Http, Tcp, _serving
from storagebox.balance.health.checks import Result


@asynccontextmanager
async def answering(answer: bytes) -> AsyncGenerator[tuple[Endpoint, list[bytes]]]:
    """A server that reads a request and says this."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    made = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Endpoint("127.0.0.1", made.sockets[0].getsockname()[1]), asked
    finally:
        made.close()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"200 OK", Result(True, told="HTTP 200")),
        (b"204 No Content", Result(True, told="HTTP 204")),
        (b"302 Found", Result(False, told="HTTP 302")),
        (b"503 Busy", Result(False, told="HTTP 503")),
        (b"429 Many", Result(True, degraded=True, told="HTTP 429")),
        (b"200 OK\r\nx-envoy-degraded: 1", Result(True, degraded=True, told="HTTP 200")),
        (
            b"200 OK\r\nx-envoy-immediate-health-check-fail: 1",
            Result(False, drains=True, told="HTTP 200, and it is going"),
        ),
    ],
)
def test_an_http_answer_is_a_result(head: bytes, expected: Result):
    async def main() -> None:
        # The body never ends: only the headers are needed.
        async with answering(b"HTTP/1.1 " + head + b"\r\n\r\nand on") as (endpoint, asked):
            assert await Http("/health?x=1", host="search")(endpoint) == expected
            assert asked[0].startswith(b"GET /health?x=1 HTTP/1.1\r\n")
            assert b"Host: search\r\n" in asked[0]

    asyncio.run(main())


@pytest.mark.parametrize("garbage", [b"", b"nonsense\r\n\r\n"])
def test_no_http_answer_raises_as_a_check_may(garbage: bytes):
    async def main() -> None:
        async with answering(garbage) as (endpoint, _):
            with pytest.raises(OSError):
                await Http()(endpoint)

    asyncio.run(main())


def test_tcp_asks_whether_a_connection_can_be_made():
    async def main() -> None:
        async with answering(b"") as (endpoint, _):
            assert (await Tcp()(endpoint)).passed
        with pytest.raises(OSError):
            await Tcp()(endpoint)

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [{"path": "health"}, {"scheme": "ftp"}])
def test_a_check_that_can_not_be_is_refused(wrong: dict[str, str]):
    with pytest.raises(ValueError, match="the path begins with /"):
        Http(**wrong)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"\0\0\0\0\2\x08\1", 1),
        (b"\0\0\0\0\2\x08\2", 2),
        (b"\0\0\0\0\0", 0),
        (b"\1\0\0\0\2\x08\1", None),
        (b"\0\0\0\0", None),
        (b"\0\0\0\0\2\x10\1", None),
    ],
)
def test_an_answer_of_grpcs_is_one_message_that_is_not_compressed(body: bytes, status: int | None):
    assert _serving(body) == status
