"""The control socket: JSON-RPC 2.0, one message a line, on a Unix socket only its owner may open.

The methods are those of `coordinator.Coordinator` and `quit`. `ControlClient` is the other end,
for programs that just want an answer.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from phantom.rpc import RpcError

from .conversation import Conversation

CONTROL_SOCKET = "box.sock"  # in the box's state folder, where nothing else is said
# A line: a playlist of some thousand paths fits.
MAX_LINE_BYTES = 1 << 20
# struct sockaddr_un (unix(7)).
MAX_PATH_BYTES = 107

Fault = Callable[[str, BaseException], None]


class ControlError(Exception):
    """The control socket can't be served or reached; the message says why and what to do."""


def _checked(path: Path) -> str:
    text = str(path)
    if len(os.fsencode(text)) > MAX_PATH_BYTES:
        raise ControlError(
            f"{text}: a control socket's path is at most {MAX_PATH_BYTES} bytes: give --control"
        )
    return text


class ControlServer:
    """Serves `methods` (name → function or coroutine function) at `path`."""

    def __init__(
        self, path: Path, methods: Mapping[str, Callable[..., Any]], fault: Fault
    ) -> None:
        self.path = path
        self._methods = methods
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
            if writer.transport.get_write_buffer_size() < MAX_LINE_BYTES:
                writer.write(message + b"\n")  # else: it asks and does not read

        conversation = Conversation(send, MAX_LINE_BYTES, self._fault)
        for name, method in self._methods.items():
            conversation.serve(name, method)
        try:
            while line := await reader.readline():
                conversation.receive(line)
        except (ValueError, ConnectionError):
            pass  # a line over the limit, or gone
        finally:
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

    Raises ControlError if no box answers at `path` within `patience_s`.
    """

    def __init__(self, path: Path, patience_s: float = 0.0) -> None:
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
                    raise ControlError(f"{text}: {why}") from None
            time.sleep(0.02)
        self._lines = self._socket.makefile("rb")
        self._id = 0

    def call(self, method: str, **params: Any) -> Any:
        """The box's answer. Raises RpcError, or ControlError if the box goes away."""
        self._id += 1
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            line = self._lines.readline()
        except OSError:
            line = b""
        if not line:
            raise ControlError("the box has gone away")
        answer = json.loads(line)
        if "error" in answer:
            error = answer["error"]
            raise RpcError(error["code"], error["message"], error.get("data"))
        return answer["result"]

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
