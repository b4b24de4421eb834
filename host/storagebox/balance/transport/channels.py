"""How to send to one endpoint: an httpcore pool, or whatever httpx transport the program brings.

A channel takes the program's request and gives back what a response is made of. Going to httpcore
directly spares each request a second `httpx.Request`, whose URL would be parsed anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import httpcore
import httpx

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.transport.outgoing import for_core, for_httpx
from storagebox.balance.transport.pools import Connecting

Extensions = dict[str, Any]


@dataclass(slots=True)
class Answer:
    """The beginning of an answer: its body is still to be read from `stream`, and that closed."""

    status: int
    headers: list[tuple[bytes, bytes]]
    stream: Any
    extensions: dict[str, Any]


class SyncChannel(Protocol):
    """Sends requests to one endpoint."""

    def send(
        self, request: httpx.Request, endpoint: Endpoint, extensions: Extensions
    ) -> Answer: ...
    def close(self) -> None: ...


class AsyncChannel(Protocol):
    """Sends requests to one endpoint."""

    async def send(
        self, request: httpx.Request, endpoint: Endpoint, extensions: Extensions
    ) -> Answer: ...
    async def aclose(self) -> None: ...


def sync_channels(
    connecting: Connecting, connect: Callable[[Endpoint], httpx.BaseTransport] | None
) -> Callable[[Endpoint], SyncChannel]:
    """What makes an endpoint's channel: of `connect`'s transport, or connecting as is said."""
    if connect is not None:
        return lambda endpoint: _SyncInner(connect(endpoint))
    options = _Options(connecting)
    return lambda _: _SyncCore(httpcore.ConnectionPool(**options()))


def async_channels(
    connecting: Connecting, connect: Callable[[Endpoint], httpx.AsyncBaseTransport] | None
) -> Callable[[Endpoint], AsyncChannel]:
    """What makes an endpoint's channel: of `connect`'s transport, or connecting as is said."""
    if connect is not None:
        return lambda endpoint: _AsyncInner(connect(endpoint))
    options = _Options(connecting)
    return lambda _: _AsyncCore(httpcore.AsyncConnectionPool(**options()))


class _Options:
    """The arguments of a pool; the TLS context is made once, with the first of them."""

    def __init__(self, connecting: Connecting) -> None:
        self._connecting = connecting
        self._made: dict[str, Any] | None = None

    def __call__(self) -> dict[str, Any]:
        if self._made is None:
            connecting = self._connecting
            self._made = {
                "ssl_context": connecting.context(),
                "max_connections": connecting.limits.max_connections,
                "max_keepalive_connections": connecting.limits.max_keepalive_connections,
                "keepalive_expiry": connecting.limits.keepalive_expiry,
                "http1": connecting.http1,
                "http2": connecting.http2,
                "retries": 0,
            }
        return self._made


class _SyncCore:
    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def send(self, request: httpx.Request, endpoint: Endpoint, extensions: Extensions) -> Answer:
        got = self._pool.handle_request(for_core(request, endpoint, extensions))
        return Answer(got.status, got.headers, got.stream, dict(got.extensions))

    def close(self) -> None:
        self._pool.close()


class _SyncInner:
    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def send(self, request: httpx.Request, endpoint: Endpoint, extensions: Extensions) -> Answer:
        got = self._inner.handle_request(for_httpx(request, endpoint, extensions))
        return Answer(got.status_code, got.headers.raw, got.stream, got.extensions)

    def close(self) -> None:
        self._inner.close()


class _AsyncCore:
    def __init__(self, pool: httpcore.AsyncConnectionPool) -> None:
        self._pool = pool

    async def send(
        self, request: httpx.Request, endpoint: Endpoint, extensions: Extensions
    ) -> Answer:
        got = await self._pool.handle_async_request(for_core(request, endpoint, extensions))
        return Answer(got.status, got.headers, got.stream, dict(got.extensions))

    async def aclose(self) -> None:
        await self._pool.aclose()


class _AsyncInner:
    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def send(
        self, request: httpx.Request, endpoint: Endpoint, extensions: Extensions
    ) -> Answer:
        got = await self._inner.handle_async_request(for_httpx(request, endpoint, extensions))
        return Answer(got.status_code, got.headers.raw, got.stream, got.extensions)

    async def aclose(self) -> None:
        await self._inner.aclose()
