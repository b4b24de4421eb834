"""A client of the search API, for commands: one connection, one request after another."""

from __future__ import annotations

import http.client
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import orjson

# A page of a thousand records, or a commit on a slow disk.
ANSWER_S: Final = 60.0
_TRIES: Final = 8
_BUSY: Final = (429, 503)
_MAX_PAUSE_S: Final = 30.0
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PAGE: Final = 1000


class SearchFault(Exception):
    """What a server refuses, or that none answers; the message names it.

    `status` is HTTP's, `details` what else a refusal says: the `position` of a request, say.
    """

    def __init__(
        self, message: str, status: int = 0, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.details = details or {}


class SearchClient:
    """`server` is http://HOST:PORT, https://HOST, or the path of a Unix socket."""

    def __init__(
        self,
        server: str | Path,
        application: str,
        key: str,
        *,
        pause: Callable[[float], object] = time.sleep,
        tries: int = _TRIES,
    ) -> None:
        """Raises SearchFault for what is no server's address."""
        self._tries = tries
        self.server = str(server)
        self._pause = pause
        self._base = ""
        self._connection = self._made(server)
        self._headers = {
            "x-algolia-application-id": application,
            "x-algolia-api-key": key,
            "content-type": "application/json",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def search(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The results of several queries, each with its `indexName`."""
        return self.call("POST", "/1/indexes/*/queries", {"requests": requests})["results"]

    def browse(self, index: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """All records that match, in no order that matters."""
        asked: dict[str, Any] = {"hitsPerPage": _PAGE, **params}
        path = f"/1/indexes/{quote(index, safe='')}/browse"
        while True:
            answer = self.call("POST", path, asked)
            yield from answer["hits"]
            if "cursor" not in answer:
                return
            asked = {"cursor": answer["cursor"]}

    def call(self, method: str, path: str, body: object = None) -> Any:
        """The answer's JSON. A server that is busy is asked again; raises SearchFault.

        `body` is what JSON can hold, or bytes that are JSON.
        """
        data = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        # The same for all tries, so that none of them is done twice.
        request_id = "".join(secrets.choice(_LETTERS) for _ in range(11))
        headers = {**self._headers, "request-id": request_id}
        for tries_left in reversed(range(self._tries)):
            try:
                self._connection.request(method, self._base + path, data, headers)
                answer = self._connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as fault:
                self._connection.close()
                # A server closes connections that were idle, just as one is used again.
                if 0 < tries_left == self._tries - 1 and isinstance(fault, _STALE):
                    continue
                raise SearchFault(f"{self.server}: {_reason(fault)}") from None
            if answer.status in _BUSY and tries_left:
                self._connection.close()
                self._pause(min(float(answer.headers.get("retry-after") or 1), _MAX_PAUSE_S))
                continue
            return self._read(answer.status, text)
        raise AssertionError("unreachable")

    def _read(self, status: int, text: bytes) -> Any:
        try:
            body = orjson.loads(text)
        except ValueError:
            raise SearchFault(f"{self.server}: answers {status} without JSON", status) from None
        if status >= 400:
            details: dict[str, Any] = body if isinstance(body, dict) else {}
            message = details.get("message") or f"{self.server} answers {status}"
            raise SearchFault(str(message), status, details)
        return body

    def _made(self, server: str | Path) -> http.client.HTTPConnection:
        if isinstance(server, Path):
            return _UnixConnection(server)
        try:
            parts = urlsplit(server)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if parts.scheme not in ("http", "https") or not host:
            raise SearchFault(f"{server}: no server's address: such as http://127.0.0.1:7700")
        self._base = parts.path.rstrip("/")
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=ANSWER_S, context=context)
        return http.client.HTTPConnection(host, port, timeout=ANSWER_S)


_STALE: Final = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        """To the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(str(self._path))


def _reason(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return f"no answer within {ANSWER_S:g} s"
    if isinstance(fault, (ConnectionRefusedError, FileNotFoundError)):
        return "nobody serves there: is `phantom search serve` running?"
    if isinstance(fault, OSError):
        return (fault.strerror or str(fault)).lower()
    return f"no HTTP is spoken there ({type(fault).__name__})"
