"""A client's connection: uvicorn's, that gives up on who doesn't come to the end of a request.

Sockets are few, and all applications share them: somebody who opens many and sends a byte now and
then would have them all (a "slow loris"). And an answer to what isn't HTTP is JSON here, too.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
import orjson
from uvicorn.protocols.http.h11_impl import H11Protocol

# From a connection, or a request's first byte, to the end of its headers.
HEAD_S: Final = 30.0
# From there to the end of its body: 100 MB at 350 kB/s.
BODY_S: Final = 300.0
# Who reads nothing of an answer so long has gone.
READ_S: Final = 60.0
# An address of 16 kB, with a key of 16 kB in a header.
HEAD_BYTES: Final = 64 << 10


class Connection(H11Protocol):
    """One connection: one request after another."""

    _arriving: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _expected: Any = None  # what of a request is being waited for, as h11 calls it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """A part of a request, or several requests."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, by whomever."""
        self._expect(None, 0)
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

    def _wait(self) -> None:
        """Set a time for what is still to come of a request."""
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._expect(state, BODY_S)
        elif state is h11.IDLE and self.timeout_keep_alive_task is None:
            self._expect(state, HEAD_S)
        else:
            self._expect(None, 0)

    def _expect(self, state: Any, seconds: float) -> None:
        if state is self._expected:
            return
        self._expected = state
        if self._arriving is not None:
            self._arriving.cancel()
            self._arriving = None
        if state is not None:
            self._arriving = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        begun, _ = self.conn.trailing_data
        if not begun:  # who sends nothing expects no answer, or takes it for that to a request
            self.transport.close()
            return
        self._answer(408, "the request did not come to its end: send it at once")

    def _answer(self, status: int, message: str) -> None:
        if self.conn.our_state is h11.IDLE:
            body = orjson.dumps({"message": message, "status": status})
            headers = [
                (b"content-type", b"application/json; charset=UTF-8"),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
            ]
            parts = (h11.Response(status_code=status, headers=headers), h11.Data(data=body))
            for part in (*parts, h11.EndOfMessage()):
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()
