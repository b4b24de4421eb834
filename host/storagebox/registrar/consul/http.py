"""The HTTP API as one ASGI application: the wire's conventions, and which endpoint answers.

An endpoint (agent_endpoints, catalog_endpoints) takes a Call and gives an Answer, or raises
Refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import orjson
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .agent import Agent
from .blocking import Gone, Waiting
from .query import NO_LEADER, Query
from .refused import Refused, RefusedRead

MAX_BODY_BYTES: Final = 512 << 10
_GZIP_FROM_BYTES: Final = 1000
_SPELLED: Final = (b"x-", b"content-type", b"vary")


@dataclass
class Answer:
    """A JSON value, unless there is a `text`; nothing at all is an empty body."""

    json: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    text: str | None = None


EMPTY: Final = Answer(text="")


@dataclass
class Call:
    """A request: `rest` is the path beyond the endpoint's own, decoded."""

    agent: Agent
    waiting: Waiting
    now_s: Callable[[], float]
    rest: str
    query: Query
    body: bytes
    address: str
    gone: Callable[[], Awaitable[object]]


Endpoint = Callable[[Call], Answer | Awaitable[Answer]]
# By method and path; a path that ends in "/" has a name after it.
Routes = Mapping[tuple[str, str], Endpoint]


def create(
    agent: Agent,
    waiting: Waiting,
    routes: Routes,
    *,
    now_s: Callable[[], float] = time.monotonic,
    fault: Callable[[BaseException], object] | None = None,
) -> ASGIApp:
    """The application. `fault` is told of our own faults, which are answered by 500."""
    methods: dict[str, dict[str, Endpoint]] = {}
    for (method, path), endpoint in routes.items():
        methods.setdefault(path, {})[method] = endpoint

    async def answer(request: Request) -> Response:
        found = _route(methods, request.scope["raw_path"].decode("latin-1"))
        if found is None:
            return _outside(request)
        allowed, rest = found
        if request.method == "OPTIONS":
            return Response(headers={"Allow": ",".join(["OPTIONS", *allowed])})
        if request.method not in allowed:
            raise Refused(405, f"method {request.method} not allowed")
        body = await _body(request)
        call = Call(
            agent,
            waiting,
            now_s,
            rest,
            Query(request.scope["query_string"]),
            body,
            request.client.host if request.client else "",
            request.receive,
        )
        given = allowed[request.method](call)
        done = given if isinstance(given, Answer) else await given
        return _response(done, pretty="pretty" in call.query)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await answer(request)
        except Refused as refused:
            headers = NO_LEADER if isinstance(refused, RefusedRead) else {}
            response = _text(refused.text, refused.status, headers)
        except (Gone, ClientDisconnect):
            return
        except Exception as error:
            if fault is not None:
                fault(error)
            response = _text("internal error", 500, {})
        if len(response.body) < _GZIP_FROM_BYTES:  # else it is said by what compresses
            response.headers["Vary"] = "Accept-Encoding"
        await response(scope, receive, send)

    return _spelled(GZipMiddleware(app, minimum_size=_GZIP_FROM_BYTES))


def _spelled(app: ASGIApp) -> ASGIApp:
    """Spells its own headers as Consul does: some clients look for exactly that."""

    async def spelled(scope: Scope, receive: Receive, send: Send) -> None:
        async def capitalised(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name.title() if name.startswith(_SPELLED) else name, value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await app(scope, receive, capitalised)

    return spelled


def _route(
    methods: Mapping[str, dict[str, Endpoint]], raw_path: str
) -> tuple[dict[str, Endpoint], str] | None:
    """The endpoint's methods and the name after its path, by the path as it came."""
    path = raw_path.partition("?")[0]
    if path in methods and not path.endswith("/"):
        return methods[path], ""
    place = len(path)
    while (place := path.rfind("/", 0, place)) >= 0:
        prefix = path[: place + 1]
        if prefix in methods:
            return methods[prefix], unquote(path[place + 1 :])
    return None


def _outside(request: Request) -> Response:
    path = request.url.path
    if path == "/":  # so that a check on this server itself passes, as on Consul's, by its page
        return _text("Phantom serves Consul's API below /v1", 200, {})
    return Response(status_code=404)


async def _body(request: Request) -> bytes:
    """The body. Raises Refused (413) for one that is too long, once it is clear that it is."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY_BYTES:
            raise Refused(413, f"Request body too large, max size: {MAX_BODY_BYTES} bytes")
    return bytes(data)


def _response(answer: Answer, *, pretty: bool) -> Response:
    if answer.text is not None:
        return _text(answer.text, answer.status, answer.headers)
    body = _encoded(answer.json, pretty)
    headers = dict(answer.headers)
    return Response(body, answer.status, media_type="application/json", headers=headers)


def _encoded(value: Any, pretty: bool) -> bytes:
    if not pretty:
        with suppress(TypeError):  # of half a surrogate pair that a client has sent, say
            return orjson.dumps(value)
    layout: Any = {"indent": 4} if pretty else {"separators": (",", ":")}
    return json.dumps(value, ensure_ascii=False, **layout).encode(errors="replace")


def _text(text: str, status: int, headers: Mapping[str, str]) -> Response:
    told = dict(headers)
    if text:
        told.setdefault("Content-Type", "text/plain; charset=utf-8")
    return Response(text.encode(), status, headers=told)
