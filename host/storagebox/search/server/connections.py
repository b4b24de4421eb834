"""A client's connection: uvicorn's, that gives up on who doesn't come to the end of a request.

Sockets are few, and all applications share them: somebody who opens many and sends a byte now and
then would have them all (a "slow loris"). And an answer to what isn't HTTP is JSON here, too.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# From a connection, or a request's first byte, to the end of its headers.
HEAD_S: Final = 30.0
# From there to the end of its body: 100 MB at 350 kB/s.
BODY_S: Final = 300.0
# Who reads nothing of an answer so long has gone.
READ_S: Final = 60.0
# An address of 16 kB, with a key of 16 kB in a header.
HEAD_BYTES: Final = 64 << 10


class _Part(Enum):
    """What of a request is still to come."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()


class _BadHead(Exception):
    """A request's headers are not to be answered."""


class Connection(HttpToolsProtocol):
    """One connection: one request after another."""

    parser: httptools.HttpRequestParser  # pyright: ignore[reportIncompatibleVariableOverride]
    _part = _Part.HEAD
    _begun = False  # has a byte of it come?
    _head_bytes = 0  # that came while its headers had no end
    _chunk_bytes = 0  # of what was just received, as far as they may all be of one head
    _arriving: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _expected = _Part.NOTHING  # what the time is set for

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """A part of a request, or several requests."""
        self._unset_keepalive_if_required()
        rest, self._chunk_bytes = data, len(data)
        while rest:
            try:
                self.parser.feed_data(rest)
                rest = b""
            except httptools.HttpParserUpgrade as wish:
                rest = self._without_upgrade() + rest[wish.args[0] :]
            except httptools.HttpParserError:
                self.send_400_response("This is no request.")
                return
        if self._part is _Part.HEAD and self._begun:
            self._head_bytes += self._chunk_bytes
            if self._head_bytes > HEAD_BYTES:
                self.send_400_response("The headers are too long.")
                return
        self._wait()

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        self._part, self._begun, self._head_bytes = _Part.HEAD, True, 0

    def on_headers_complete(self) -> None:
        """Its headers have come."""
        self._check_head()
        if not self.parser.should_upgrade():
            self._part = _Part.BODY
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it has come."""
        self._chunk_bytes = 0  # how much of it is the next one's isn't known
        if not self.parser.should_upgrade():
            self._part, self._begun = _Part.NOTHING, False
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, by whomever."""
        self._expect(_Part.NOTHING, 0)
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client doesn't read as fast as it is answered."""
        super().pause_writing()
        self._reading = self.loop.call_later(READ_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what can't be understood, unless an answer to something is under way."""
        self._answer(400, f"{msg} This is a search API over HTTP/1.1")

    def _check_head(self) -> None:
        """What the parser leaves to others. Raises _BadHead."""
        hosts = [name for name, _ in self.headers if name == b"host"]
        if len(hosts) != 1 and self.parser.get_http_version() == "1.1":
            raise _BadHead  # RFC 9112, 3.2
        if self.parser.get_method() == b"CONNECT":
            raise _BadHead
        if len(self.url) + sum(len(each) for pair in self.headers for each in pair) > HEAD_BYTES:
            raise _BadHead

    def _without_upgrade(self) -> bytes:
        """The request's head again, for the parser, which takes who wishes to upgrade (to HTTP/2,
        as Java's client does) for upgraded, and the body for what comes after."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % pair for pair in self.headers if pair[0] != b"upgrade"]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _idle(self) -> bool:
        return not self.cycle or self.cycle.response_complete

    def _wait(self) -> None:
        """Set a time for what is still to come of a request."""
        if self._part is _Part.BODY:
            self._expect(_Part.BODY, BODY_S)
        elif self._begun or (self._idle() and self.timeout_keep_alive_task is None):
            self._expect(_Part.HEAD, HEAD_S)
        else:
            self._expect(_Part.NOTHING, 0)

    def _expect(self, part: _Part, seconds: float) -> None:
        if part is self._expected:
            return
        self._expected = part
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None
        if part is not _Part.NOTHING:
            self._arriving = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        if not self._begun:
            # Who sends nothing expects no answer, or takes it for that to a request.
            self.transport.close()
            return
        self._answer(408, "the request did not come to its end: send it at once")

    def _answer(self, status: int, message: str) -> None:
        if self._idle():
            body = orjson.dumps({"message": message, "status": status})
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
                "content-type: application/json; charset=UTF-8\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
