"""A request from its headers to its answer: admitted, answered, noted down."""

from __future__ import annotations

import asyncio
import secrets
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Final, Protocol
from urllib.parse import unquote

import orjson

from storagebox.search.language.errors import LanguageError
from storagebox.search.server import body as bodies
from storagebox.search.server import compression, credentials, recent
from storagebox.search.server.call import Call
from storagebox.search.server.credentials import Asked
from storagebox.search.server.grants import Grant
from storagebox.search.server.tenant import Share, Tenant
from storagebox.search.server.turns import Turns
from storagebox.search.writes import quotas
from storagebox.search.writes.application import Application, Unavailable
from storagebox.search.writes.indices import Report
from storagebox.search.writes.quotas import BadQuota
from storagebox.search.writes.refused import Refused

Receive = bodies.Receive
Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, bodies.Receive, Send], Awaitable[None]]

_MAX_TARGET_BYTES: Final = 16 << 10
# The key may be in the body, if it is in no header: a search's, at most.
_UNKNOWN_BYTES: Final = 256 << 10
_CORRELATION: Final = b"correlation-id"
_CONTENT: Final[tuple[bytes, bytes]] = (b"content-type", b"application/json; charset=UTF-8")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer whose status isn't 200."""

    body: Any
    status: int


Handler = Callable[[Call], Awaitable[Any]]
"""Answers a call: JSON that orjson writes, or a Reply. May raise Refused or LanguageError."""


class Applications(Protocol):
    """Who is served here."""

    def get(self, app_id: str) -> Application | None:
        """An application, opened if it isn't yet; None if there is no such. Raises Unavailable.

        Called in the event loop only for one that was open.
        """
        ...


@dataclass(eq=False)
class Service:
    """What all requests share. `clock` tells Unix time in seconds."""

    applications: Applications
    turns: Turns
    share: Share
    clock: Callable[[], float]
    report: Report
    draining: bool = False

    def __post_init__(self) -> None:
        self._tenants: dict[str, Tenant] = {}

    async def tenant(self, app_id: str) -> Tenant:
        """An application. Raises Refused if there is none, or it can't be opened."""
        tenant = self._tenants.get(app_id)
        try:
            if tenant is not None:
                application = self.applications.get(app_id)
            else:  # it may have to be opened
                application = await asyncio.to_thread(self.applications.get, app_id)
        except Unavailable as fault:
            self.report("application.unavailable", application=app_id, reason=str(fault))
            raise Refused("this application can't be opened: see the server's log", 503) from None
        if application is None:
            raise Refused(credentials.INVALID, 403)
        if tenant is None or tenant.application is not application:
            tenant = self._tenants[app_id] = Tenant(application, self.share)
            self._read_quota(app_id, tenant)
        return tenant

    def read_quotas(self) -> None:
        """Have the quotas hold that files say by now."""
        for app_id, tenant in self._tenants.items():
            self._read_quota(app_id, tenant)

    def _read_quota(self, app_id: str, tenant: Tenant) -> None:
        try:
            quota = tenant.read_quota()
        except BadQuota as fault:  # the one before holds
            self.report("quota.bad", application=app_id, reason=str(fault))
            return
        if quota is not None and quota != self.share.quota:
            self.report("quota", application=app_id, **quotas.to_json(quota))

    def forget(self, app_id: str) -> None:
        """Know nothing of an application any more: it was closed."""
        self._tenants.pop(app_id, None)


class Endpoint:
    """One method of one path, as an ASGI application."""

    def __init__(
        self, service: Service, handler: Handler, acl: str, kind: str, limit: int
    ) -> None:
        """`acl` is what a key needs for it ("" for any valid key), `limit` a body's most bytes."""
        self._service = service
        self._handler = handler
        self._acl = acl
        self._kind = kind
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service = self._service
        began_s = perf_counter()
        call: Call | None = None
        retry_after_s: int | None = None
        asked: Asked | None = None
        status = 200
        try:
            asked = credentials.read(scope["headers"], scope["query_string"], scope.get("client"))
            if service.draining:
                raise Refused("this server is going away: ask another", 503)
            call = await self._admitted(scope, asked, receive)
            answer = await self._handler(call)
            if isinstance(answer, Reply):
                answer, status = answer.body, answer.status
            data = orjson.dumps(answer)
        except bodies.Gone:
            return
        except (Refused, LanguageError) as fault:
            status, data = fault.status, orjson.dumps(fault.to_json())
            retry_after_s = getattr(fault, "retry_after_s", None)
        except Exception as fault:  # ours
            told = "".join(traceback.format_exception(fault))
            service.report("fault", path=scope["path"], reason=recent.redacted(told))
            status = 500
            data = orjson.dumps({"message": "Internal error: see the server's log", "status": 500})
        headers, sent = await _as_sent(data, asked)
        if status == 415:
            headers.append((b"accept-encoding", b"gzip"))
        if retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % retry_after_s))
        if service.draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": sent})
        if call is not None:
            self._note(call, scope["method"], status, data, began_s)

    async def _admitted(self, scope: Scope, asked: Asked, receive: Receive) -> Call:
        service = self._service
        target: bytes = scope["raw_path"]
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        if len(target) > _MAX_TARGET_BYTES:
            raise Refused(f"the address is over {_MAX_TARGET_BYTES} bytes", 414)
        now_s = service.clock()
        if asked.key and asked.application:
            # Before its body, which is not to be kept for somebody who may nothing.
            try:
                tenant, grant = await self._allowed(asked, now_s)
            except Refused:
                await bodies.skip(receive, self._limit)
                raise
            body = await self._body(scope, asked, receive, self._limit)
        else:
            body = await self._body(scope, asked, receive, _UNKNOWN_BYTES)
            asked = _from_body(asked, body)
            tenant, grant = await self._allowed(asked, now_s)
        path: Mapping[str, str] = scope["path_params"]
        return Call(
            tenant=tenant,
            grant=grant,
            asked=asked,
            target=target.decode("latin-1"),
            path={name: _decoded(value) for name, value in path.items()},
            body=body,
            now_s=now_s,
            turns=service.turns,
        )

    async def _body(self, scope: Scope, asked: Asked, receive: Receive, limit: int) -> bytes:
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            return b""
        encoding = asked.headers.get("content-encoding", "").lower()
        return await bodies.read(receive, encoding, limit)

    async def _allowed(self, asked: Asked, now_s: float) -> tuple[Tenant, Grant]:
        """Whose request it is, and what its key may do. Raises Refused."""
        tenant = await self._service.tenant(asked.application)
        grant = tenant.grant(asked.key, now_s)
        referer = asked.headers.get("referer") or asked.headers.get("origin", "")
        grant.check(self._acl, now_s, asked.address, referer)
        wait_s = tenant.requests.take(perf_counter())
        if wait_s:
            raise Refused(
                "Too many requests: this application's rate is used up", 429, int(wait_s) + 1
            )
        if grant.max_queries_per_hour:
            asker = grant.user_token or asked.user_token or asked.address
            if not tenant.hourly.count((grant.key, asker), grant.max_queries_per_hour, now_s):
                raise Refused(
                    "Too many requests: this key's calls of an hour are used up", 429, 60
                )
        return tenant, grant

    def _note(self, call: Call, method: str, status: int, data: bytes, began_s: float) -> None:
        call.tenant.recent.add(
            recent.Entry(
                at_s=call.now_s,
                method=method,
                target=call.target,
                headers=call.asked.headers,
                address=call.asked.address,
                body=call.body[: recent.SHOWN_BYTES],
                status=status,
                answer=data[: recent.SHOWN_BYTES],
                took_ms=int((perf_counter() - began_s) * 1000),
                kind=self._kind,
                indices=tuple(dict.fromkeys(call.indices)),
                hits=call.hits,
                queries=call.queries,
            )
        )


async def _as_sent(data: bytes, asked: Asked | None) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """An answer's headers, and its body as it travels to who asked."""
    correlation = asked.request_id if asked is not None else ""
    if not (correlation.isalnum() and correlation.isascii() and len(correlation) <= 64):
        correlation = secrets.token_hex(8)
    headers = [_CONTENT, (_CORRELATION, correlation.encode("ascii"))]
    if len(data) >= compression.WORTH_BYTES:
        headers.append((b"vary", b"Accept-Encoding"))
        if asked is not None and compression.taken(asked.headers.get("accept-encoding", "")):
            headers.append((b"content-encoding", b"gzip"))
            if len(data) <= compression.LONG_BYTES:
                data = compression.packed(data)
            else:
                data = await asyncio.to_thread(compression.packed, data)
    headers.append((b"content-length", b"%d" % len(data)))
    return headers, data


def _from_body(asked: Asked, body: bytes) -> Asked:
    """Older JavaScript clients send a key that is too long for an address in the body."""
    if b'"apiKey"' not in body:
        return asked
    fields = bodies.parse(body)
    key = fields.get("apiKey") if isinstance(fields, dict) else None
    return replace(asked, key=asked.key or key) if isinstance(key, str) else asked


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise Refused("the path is not UTF-8") from None


def refuse(message: str, status: int) -> App:
    """Answers everything alike."""
    data = orjson.dumps({"message": message, "status": status})

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [_CONTENT, (b"content-length", b"%d" % len(data))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    return answer
