"""What an active check asks: that a port opens, an HTTP status, or gRPC's health service.

Each check is a connection of its own, made and closed: one that is kept could work while no new
one can be made.
"""

import asyncio
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.health.checks import Result

TOO_MANY_REQUESTS = 429
_ALONE = httpx.Limits(max_keepalive_connections=0)


@dataclass(frozen=True, slots=True)
class Tcp:
    """Well is where a connection can be made. It tells of a host, and little of its service."""

    async def __call__(self, endpoint: Endpoint) -> Result:
        _, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return Result(True, told="it takes connections")


@dataclass(frozen=True, slots=True)
class Http:
    """Well is who answers 2xx. Only the headers are read, and redirects aren't followed.

    429 is degraded, as Consul's warning; `x-envoy-degraded` says so too, and
    `x-envoy-immediate-health-check-fail` that the server is going.

    Args:
        path: with its slash.
        scheme: `http` or `https`.
        host: sent as Host, and as the name in TLS; the endpoint's address if left out.
        tls: whom to trust; the system's authorities if left out.
    """

    path: str = "/"
    scheme: str = "http"
    host: str | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.scheme not in ("http", "https") or not self.path.startswith("/"):
            raise ValueError(
                f"check {self.scheme}://…{self.path}: the scheme is http or https, and the path"
                " begins with /"
            )
        if self.tls is None and self.scheme == "https":
            object.__setattr__(self, "tls", ssl.create_default_context())

    async def __call__(self, endpoint: Endpoint) -> Result:
        request = httpx.Request(
            "GET",
            f"{self.scheme}://{endpoint.address}{self.path}",
            headers={
                "Host": self.host or endpoint.address,
                "User-Agent": "phantom-balance",
                "Connection": "close",
            },
            extensions={"sni_hostname": self.host} if self.host else None,
        )
        answer = await _answer(request, self.tls, http2=False, read=False)
        told = f"HTTP {answer.status_code}"
        if "x-envoy-immediate-health-check-fail" in answer.headers:
            return Result(False, drains=True, told=f"{told}, and it is going")
        if answer.status_code == TOO_MANY_REQUESTS:
            return Result(True, degraded=True, told=told)
        degraded = "x-envoy-degraded" in answer.headers
        return Result(answer.is_success, degraded=degraded, told=told)


@dataclass(frozen=True, slots=True)
class Grpc:
    """Well is whose `grpc.health.v1.Health/Check` says SERVING.

    NOT_SERVING is how a gRPC server says that it is going, and is believed at once. One without
    that service is failing.

    Args:
        service: whose health; the whole server's if empty.
        tls: whom to trust; without it, the connection isn't encrypted.
    """

    service: str = ""
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    async def __call__(self, endpoint: Endpoint) -> Result:
        name = self.service.encode()
        question = b"\x0a" + _varint(len(name)) + name if name else b""
        scheme = "http" if self.tls is None else "https"
        request = httpx.Request(
            "POST",
            f"{scheme}://{endpoint.address}/grpc.health.v1.Health/Check",
            headers={"content-type": "application/grpc", "te": "trailers"},
            content=struct.pack(">BI", 0, len(question)) + question,
        )
        answer = await _answer(request, self.tls, http2=True, read=True)
        status = answer.headers.get("grpc-status", "0")
        if not answer.is_success or status != "0":
            return Result(False, told=f"HTTP {answer.status_code}, gRPC status {status}")
        serving = _serving(answer.content)
        if serving is None:
            return Result(False, told="an answer that is no HealthCheckResponse")
        told = _STATUSES[serving] if serving < len(_STATUSES) else f"status {serving}"
        return Result(serving == _SERVING, drains=serving == _NOT_SERVING, told=told)


_STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_SERVING, _NOT_SERVING = 1, 2


def _serving(body: bytes) -> int | None:
    """HealthCheckResponse.status: field 1, an enum, of the first message; 0 if it is left out."""
    if len(body) < 5 or body[0] != 0:
        return None
    message = body[5 : 5 + int.from_bytes(body[1:5], "big")]
    if not message:
        return 0
    return message[1] if len(message) == 2 and message[0] == 0x08 else None


def _varint(value: int) -> bytes:
    told = bytearray()
    while value > 0x7F:
        told.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*told, value])


async def _answer(
    request: httpx.Request, tls: ssl.SSLContext | None, *, http2: bool, read: bool
) -> httpx.Response:
    """One answer on a connection of its own.

    Raises:
        OSError: there was none.
    """
    async with httpx.AsyncHTTPTransport(
        verify=tls or False, http1=not http2, http2=http2, limits=_ALONE, trust_env=False
    ) as transport:
        try:
            answer = await transport.handle_async_request(request)
            try:
                if read:
                    await answer.aread()
            finally:
                await answer.aclose()
        except httpx.HTTPError as fault:
            raise OSError(str(fault) or type(fault).__name__) from fault
    return answer
