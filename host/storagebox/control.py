"""The control socket: JSON-RPC 2.0, one message a line, on a Unix socket only its owner may open.

The methods are those of the coordinator and `quit`. A subscription is a method that is given its
`Subscriber` before the caller's parameters, and tells it of changes until it hangs up.
`ControlClient` is the other end, for programs that just want an answer or the changes.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

from phantom.rpc import RpcError

from .conversation import Conversation

CONTROL_SOCKET = "box.sock"  # in the box's state folder, where nothing else is said
# A line: a playlist of some thousand paths fits.
MAX_LINE_BYTES = 1 << 20
# struct sockaddr_un (unix(7)).
MAX_PATH_BYTES = 107
# What a client that does not read may let pile up; see Subscriber.
MAX_UNREAD_BYTES = 1 << 20
# Answers come from memory and at most a device's own time-out of a few seconds.
ANSWER_S = 15.0
# The methods that may honestly take longer, and why. `wait` says itself how long.
ANSWERS_S = {
    "play": 60.0,  # a folder of thousands of files on a disk that has to spin up
    "adopt": 30.0,  # a board takes seconds to derive the key from its code
    "measure": 600.0,  # a megabyte over a bad link that plays at the same time; it ends if stalled
    "wait": None,
}

Fault = Callable[[str, BaseException], None]


class ControlError(Exception):
    """The control socket can't be served or reached; the message says why and what to do."""


class NoBoxError(ControlError):
    """Nobody serves at that path."""


class Notification(NamedTuple):
    """What the box tells without being asked."""

    method: str
    params: dict[str, Any]


class Subscriber:
    """A client that wants to be told of changes, until it hangs up.

    One that reads too slowly misses what comes meanwhile, and then gets a `missed` notification
    with their `count`: ask for the status again.
    """

    def __init__(self, writer: asyncio.StreamWriter, conversation: Conversation) -> None:
        self._transport = writer.transport
        self._conversation = conversation
        self._missed = 0
        self._on_close: list[Callable[[], object]] = []

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Tell it; `params` is what JSON can hold."""
        if self._transport.get_write_buffer_size() > MAX_UNREAD_BYTES // 2:
            self._missed += 1
            return
        if self._missed:
            self._conversation.notify("missed", {"count": self._missed})
            self._missed = 0
        self._conversation.notify(method, params)

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have `callback` called when the client is gone; it must not raise."""
        self._on_close.append(callback)

    def closed(self) -> None:
        """The client is gone."""
        for callback in self._on_close:
            callback()
        self._on_close.clear()


def _checked(path: Path) -> str:
    text = str(path)
    if len(os.fsencode(text)) > MAX_PATH_BYTES:
        raise ControlError(
            f"{text}: a control socket's path is at most {MAX_PATH_BYTES} bytes: give --control"
        )
    return text


class ControlServer:
    """Serves `methods` (name → function or coroutine function) at `path`.

    `subscriptions` are methods too, called as method(subscriber, **params).
    """

    def __init__(
        self,
        path: Path,
        methods: Mapping[str, Callable[..., Any]],
        fault: Fault,
        subscriptions: Mapping[str, Callable[..., Any]] | None = None,
    ) -> None:
        self.path = path
        self._methods = methods
        self._subscriptions = subscriptions or {}
        self._fault = fault
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Raises ControlError if the socket can't be had."""
        text = _checked(self.path)
        if self.path.is_socket():
            if _answers(text):
                raise ControlError(f"{text}: another box serves here: stop it, or give --control")
            self.path.unlink()
        old_mask = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._accepted, text, limit=MAX_LINE_BYTES
            )
        except OSError as fault:
            raise ControlError(f"{text}: {fault.strerror or fault}: give --control") from None
        finally:
            os.umask(old_mask)

    async def close(self) -> None:
        """Stop serving; what is being answered is dropped."""
        if self._server is None:
            return
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self.path.unlink(missing_ok=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

        def send(message: bytes) -> None:
            if writer.transport.get_write_buffer_size() < MAX_UNREAD_BYTES:
                writer.write(message + b"\n")  # else: it asks and does not read

        conversation = Conversation(send, MAX_LINE_BYTES, self._fault)
        for name, method in self._methods.items():
            conversation.serve(name, method)
        subscriber = Subscriber(writer, conversation)
        for name, method in self._subscriptions.items():
            conversation.serve(name, partial(method, subscriber))
        try:
            while line := await reader.readline():
                conversation.receive(line)
        except (ValueError, ConnectionError, asyncio.CancelledError):
            pass  # a line over the limit, or gone; or the server closes, which ends this task
        finally:
            subscriber.closed()
            conversation.close()
            writer.close()


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


class ControlClient:
    """A blocking client. Use as a context manager, or `close` it.

    Raises NoBoxError if no box answers at `path` within `patience_s`. `answer_s` bounds every
    call instead of the table above.
    """

    def __init__(
        self, path: Path, patience_s: float = 0.0, *, answer_s: float | None = None
    ) -> None:
        text = _checked(path)
        deadline = time.monotonic() + patience_s
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(text)
                break
            except OSError as fault:
                self._socket.close()
                if time.monotonic() >= deadline:
                    gone = fault.errno in (errno.ENOENT, errno.ECONNREFUSED)
                    why = "no box serves here: start `phantom box`" if gone else str(fault)
                    raise NoBoxError(f"{text}: {why}") from None
            time.sleep(0.02)
        self._answer_s = answer_s
        self._unread = bytearray()
        self._notifications: deque[Notification] = deque()
        self._id = 0

    def call(self, method: str, /, **params: Any) -> Any:
        """The box's answer. Raises RpcError, or ControlError if there is none.

        What the box tells meanwhile is kept for `notifications`.
        """
        self._id += 1
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        patience_s = self._answer_s or ANSWERS_S.get(method, ANSWER_S)
        deadline = None if patience_s is None else time.monotonic() + patience_s
        try:
            self._socket.settimeout(patience_s)
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            while (answer := self._message(deadline)) is not None:
                if answer.get("id") == self._id:
                    return _result(answer)
                self._keep(answer)
        except TimeoutError:
            pass
        except OSError:
            raise ControlError("the box has gone away") from None
        raise ControlError(f"the box gave no answer to {method} within {patience_s:g} s")

    def notifications(self, timeout_s: float | None = None) -> Iterator[Notification]:
        """What the box tells, as it comes; ends when it has told nothing for `timeout_s`.

        Raises ControlError when the box goes away.
        """
        while True:
            deadline = None if timeout_s is None else time.monotonic() + timeout_s
            while not self._notifications:
                try:
                    message = self._message(deadline)
                except OSError:
                    raise ControlError("the box has gone away") from None
                if message is None:
                    return
                self._keep(message)
            yield self._notifications.popleft()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self, message: dict[str, Any]) -> None:
        if "method" in message:
            self._notifications.append(Notification(message["method"], message["params"]))

    def _message(self, deadline: float | None) -> dict[str, Any] | None:
        """The box's next message, None if it does not come in time. Raises OSError at its end."""
        searched = 0
        while (end := self._unread.find(b"\n", searched)) < 0:
            searched = len(self._unread)
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                return None
            if not data:
                raise ConnectionResetError
            self._unread += data
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        return json.loads(line)


def _result(answer: dict[str, Any]) -> Any:
    if "error" in answer:
        error = answer["error"]
        raise RpcError(error["code"], error["message"], error.get("data"))
    return answer["result"]
