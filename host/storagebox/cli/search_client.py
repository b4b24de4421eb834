"""A client of the search API, for commands: one request after another, to whichever server."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import SplitResult, quote, urlsplit

import httpx
import orjson

from storagebox.balance import NoEndpoint
from storagebox.balance.resolver import Resolver
from storagebox.balance.servers import PLACES, resolver_of
from storagebox.balance.transport.attempts import Settings
from storagebox.balance.transport.balanced import Chosen
from storagebox.balance.transport.synchronous import BalancedTransport

# A page of a thousand records, or a commit on a slow disk.
ANSWER_S: Final = 60.0
_TRIES: Final = 8
_BUSY: Final = (429, 503)
_MAX_PAUSE_S: Final = 30.0
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PAGE: Final = 1000
_LATE: Final = f"no answer within {ANSWER_S:g} s"
_NOBODY_IN_HOUSE: Final = (
    "nobody in this house offers it: is `phantom search serve --announce` running?"
)
_SETTINGS: Final = Settings(deadline_s=ANSWER_S)
# A write bears an id, by which a server that has done it knows it again.
_REPEATABLE: Final = {"safe": True}


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
    """`server` is http://HOST:PORT, https://HOST, several of them with commas between, a place
    where they can be found (consul://AGENT/SERVICE), a resolver, or the path of a Unix socket.
    """

    def __init__(
        self,
        server: str | Path | Resolver,
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
        transport, base = _reached(server)
        self._http = httpx.Client(
            transport=transport,
            base_url=base,
            timeout=ANSWER_S,
            headers={
                "x-algolia-application-id": application,
                "x-algolia-api-key": key,
                "content-type": "application/json",
            },
        )
        self.chosen: Chosen | None = None
        """Who answered last, and why that one was asked; `None` for a Unix socket."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

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
        headers = {"request-id": request_id}
        for tries_left in reversed(range(self._tries)):
            try:
                answer = self._http.request(
                    method, path, content=data, headers=headers, extensions=_REPEATABLE
                )
            except httpx.HTTPError as fault:
                nobody = isinstance(fault.__cause__, NoEndpoint) and self.server.startswith(
                    "house:"
                )
                why = _NOBODY_IN_HOUSE if nobody else _reason(fault)
                raise SearchFault(f"{self.server}: {why}") from None
            self.chosen = answer.extensions.get("chosen")
            if answer.status_code in _BUSY and tries_left:
                self._pause(min(float(answer.headers.get("retry-after") or 1), _MAX_PAUSE_S))
                continue
            return self._read(answer.status_code, answer.content)
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


def _reached(server: str | Path | Resolver) -> tuple[httpx.BaseTransport, str]:
    """How requests get there, and what their URLs begin with. Raises SearchFault."""
    if isinstance(server, Path):
        return httpx.HTTPTransport(uds=str(server)), "http://localhost"
    if not isinstance(server, str) or server.partition("://")[0] in PLACES:
        found = _place(server) if isinstance(server, str) else server
        return BalancedTransport(found, settings=_SETTINGS), "http://search"
    urls = [_read_url(url.strip()) for url in server.split(",")]
    schemes, prefixes = {url.scheme for url in urls}, {url.path.rstrip("/") for url in urls}
    if len(schemes) > 1 or len(prefixes) > 1:
        raise SearchFault(f"{server}: servers that share the work share scheme and path, too")
    servers = [f"{url.scheme}://{url.netloc}" for url in urls]
    # One server is called by its own name, of several none is.
    name = urls[0].netloc if len(urls) == 1 else "search"
    base = f"{urls[0].scheme}://{name}{urls[0].path.rstrip('/')}"
    return BalancedTransport(servers, settings=_SETTINGS), base


def _place(server: str) -> Resolver:
    try:
        return resolver_of(server)
    except ValueError as fault:
        raise SearchFault(str(fault)) from None


def _read_url(server: str) -> SplitResult:
    try:
        parts = urlsplit(server)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise SearchFault(f"{server}: no server's address: such as http://127.0.0.1:7700")
    return parts


def _reason(fault: httpx.HTTPError) -> str:
    if isinstance(fault, httpx.TimeoutException):
        return str(fault) if isinstance(fault, httpx.ConnectTimeout) else _LATE
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, (ConnectionRefusedError, FileNotFoundError)):
            return "nobody serves there: is `phantom search serve` running?"
        if isinstance(cause, OSError):
            return (cause.strerror or str(cause)).lower()
        cause = cause.__cause__ or cause.__context__
    if isinstance(fault, httpx.ProtocolError):
        return f"no HTTP is spoken there ({type(fault).__name__})"
    return str(fault)
