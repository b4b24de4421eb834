"""A gRPC server that isn't ours is asked for its health, by gRPC's own health/v1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

from storagebox.balance import Endpoint
from storagebox.balance.health.checkers import Grpc

TIMED = False


class _Health(grpc.GenericRpcHandler):
    """`Check` with the messages as bytes: HealthCheckRequest in, HealthCheckResponse out."""

    def __init__(self, statuses: dict[bytes, bytes]) -> None:
        self.statuses = statuses

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> object:
        if handler_call_details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(self.check)

    async def check(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        if request not in self.statuses:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return self.statuses[request]


@asynccontextmanager
async def server(statuses: dict[bytes, bytes] | None) -> AsyncGenerator[Endpoint]:
    made = grpc.aio.server()
    if statuses is not None:
        made.add_generic_rpc_handlers((_Health(statuses),))
    port = made.add_insecure_port("127.0.0.1:0")
    await made.start()
    try:
        yield Endpoint("127.0.0.1", port)
    finally:
        await made.stop(None)


SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
NAMED = b"\x0a\x05music"


@pytest.mark.parametrize(
    ("statuses", "service", "passed", "drains", "told"),
    [
        ({b"": SERVING}, "", True, False, "SERVING"),
        ({b"": NOT_SERVING}, "", False, True, "NOT_SERVING"),
        ({b"": b""}, "", False, False, "UNKNOWN"),
        ({b"": NOT_SERVING, NAMED: SERVING}, "music", True, False, "SERVING"),
        ({b"": SERVING}, "music", False, False, "HTTP 200, gRPC status 5"),
        (None, "", False, False, "HTTP 200, gRPC status 12"),
    ],
)
def test_a_grpc_server_tells_its_health(
    statuses: dict[bytes, bytes] | None, service: str, passed: bool, drains: bool, told: str
) -> None:
    async def main() -> None:
        async with server(statuses) as endpoint:
            result = await Grpc(service)(endpoint)
            assert (result.passed, result.drains, result.told) == (passed, drains, told)

    asyncio.run(main())


def test_a_server_that_is_gone_raises_as_a_check_may() -> None:
    async def main() -> None:
        async with server({}) as endpoint:
            pass
        with pytest.raises(OSError):
            await Grpc()(endpoint)

    asyncio.run(main())
