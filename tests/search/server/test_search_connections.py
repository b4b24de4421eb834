"""Connections: who doesn't come to the end of a request, or reads no answer, is let go of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from storagebox.search.server import connections
from storagebox.search.server.connections import HEAD_BYTES, Connection

QUERY = b"POST /1/indexes/t/query HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"


class Wire(asyncio.Transport):
    """What a client sees of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = asyncio.Event()

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def close(self) -> None:
        self.closed.set()

    def abort(self) -> None:
        self.closed.set()

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


async def answering(_: Any, receive: Any, send: Any) -> None:
    """Reads a whole request, and says how much there was."""
    message: MutableMapping[str, Any] = {"more_body": True}
    size = 0
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"read %d" % size})


def with_client(work: Callable[[Connection, Wire], Coroutine[Any, Any, None]]) -> None:
    """Have somebody connect, and do something."""

    async def run() -> None:
        config = uvicorn.Config(
            answering,
            lifespan="off",
            log_config=None,
            http=Connection,
        )
        config.load()
        connection, wire = Connection(config, ServerState(), {}), Wire()
        connection.connection_made(wire)
        try:
            await asyncio.wait_for(work(connection, wire), 30)
        finally:
            connection.connection_lost(None)
            await asyncio.gather(*connection.tasks)

    asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_S", "BODY_S", "READ_S"):
        monkeypatch.setattr(connections, name, 0.01)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("sent", "status"), [(b"", b""), (b"PO", b" 408 "), (QUERY[:-2], b" 408 "), (QUERY, b"")]
)
def test_who_does_not_come_to_the_end_of_a_request_is_let_go_of(
    sent: bytes, status: bytes
) -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        if sent:
            connection.data_received(sent)
        await wire.closed.wait()
        assert status in wire.sent
        assert (b'"status":408' in wire.sent) is bool(status)

    with_client(work)


@pytest.mark.usefixtures("impatient")
def test_a_byte_now_and_then_does_not_give_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        connection.data_received(b"GET /")
        while not wire.is_closing():
            connection.data_received(b"x")
            await asyncio.sleep(0)
        assert b" 408 " in wire.sent

    with_client(work)


def test_what_was_asked_at_once_is_answered_and_no_time_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        connection.data_received((QUERY + b"{}") * 3)
        await until(lambda: wire.sent.count(b"200 OK") == 3)
        assert not wire.is_closing()
        assert connection._arriving is None  # pyright: ignore[reportPrivateUsage]

    with_client(work)


def test_an_answer_that_nobody_reads_is_given_up(impatient: None) -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        connection.data_received(QUERY + b"{}")
        connection.pause_writing()
        await wire.closed.wait()

    with_client(work)


def test_who_reads_slowly_is_waited_for(impatient: None) -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        connection.data_received(QUERY + b"{}")
        await until(lambda: b"200 OK" in wire.sent)
        for _ in range(3):
            connection.pause_writing()
            connection.resume_writing()
        assert connection._reading is None  # pyright: ignore[reportPrivateUsage]
        assert not wire.is_closing()

    with_client(work)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT x HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * (HEAD_BYTES + 1),
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * (HEAD_BYTES + 1) + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_told_so_in_json(sent: bytes) -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        connection.data_received(sent)
        await wire.closed.wait()
        head, _, body = wire.sent.partition(b"\r\n\r\n")
        assert b" 400 " in head
        assert b"application/json" in head
        assert body.endswith(b'"status":400}')

    with_client(work)


def test_headers_that_never_end_are_bounded() -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        connection.data_received(QUERY[:-2])
        sent = 0
        while not wire.is_closing():
            connection.data_received(b"x: " + b"y" * 1000 + b"\r\n")
            sent += 1005
            assert sent < 2 * HEAD_BYTES
        assert b" 400 " in wire.sent

    with_client(work)


def test_a_long_body_counts_for_no_header() -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        body = b"x" * (HEAD_BYTES + 1)
        head = QUERY.replace(b"length: 2", b"length: %d" % len(body))
        for _ in range(2):
            connection.data_received(head[:20])
            connection.data_received(head[20:] + body[:10])
            connection.data_received(body[10:])
        await until(lambda: wire.sent.count(b"200 OK") == 2)

    with_client(work)


def test_a_head_that_begins_behind_a_long_body_is_not_taken_for_long() -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        body = b"x" * (HEAD_BYTES + 1)
        head = QUERY.replace(b"length: 2", b"length: %d" % len(body))
        connection.data_received(head + body + QUERY[:20])
        connection.data_received(QUERY[20:] + b"{}")
        await until(lambda: wire.sent.count(b"200 OK") == 2)

    with_client(work)


def test_who_would_rather_speak_http_2_is_answered_all_the_same() -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        wish = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: \r\n\r\n"
        wishing = QUERY[:-2] + wish + b"{}"
        without_body = b"GET / HTTP/1.1\r\nhost: x\r\n" + wish
        connection.data_received(wishing + without_body + QUERY + b"{}")
        connection.data_received(wishing)
        await until(lambda: wire.sent.count(b"200 OK") == 4)
        assert wire.sent.count(b"read 2") == 3

    with_client(work)


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked() -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        connection.data_received(QUERY[:-2] + b"expect: 100-continue\r\n\r\n")
        await until(lambda: b"100 Continue" in wire.sent)
        connection.data_received(b"{}")
        await until(lambda: b"200 OK" in wire.sent)

    with_client(work)


def test_rubbish_behind_a_request_spoils_no_answer() -> None:
    async def work(connection: Connection, wire: Wire) -> None:
        bad_chunk = QUERY.replace(b"content-length: 2", b"transfer-encoding: chunked") + b"zz\r\n"
        connection.data_received(bad_chunk)
        await wire.closed.wait()
        assert b"200 OK" not in wire.sent

    with_client(work)
