"""Plain TCP, for protocols that are no HTTP: a connection to whom the balancer picks.

    with connected(balancer, timeout_s=2.0) as sock:
        sock.sendall(...)

    async with opened(balancer, timeout_s=2.0) as (reader, writer):
        ...

The connection counts as in flight until the block ends. An `OSError`, as `TimeoutError` is, or an
`EOFError` that leaves the block blames the server; any other exception is the program's own.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, Generator

from storagebox.balance.balancer import Balancer, Pick
from storagebox.balance.outcome import Outcome
from storagebox.balance.running import Clock

ATTEMPTS = 3
"""At so many servers a connection is tried before the last one's error is raised."""


@contextlib.contextmanager
def connected(
    balancer: Balancer,
    *,
    timeout_s: float,
    key: bytes | None = None,
    clock: Clock = time.monotonic,
) -> Generator[socket.socket]:
    """A connected socket with this timeout, closed at the end of the block.

    Raises:
        NoEndpoint: there is nobody to connect to.
        OSError: none of the servers tried could be reached.
    """
    tried: list[str] = []
    while True:
        pick = _pick(balancer, clock, key, tried)
        try:
            sock = socket.create_connection((pick.endpoint.host, pick.endpoint.port), timeout_s)
            break
        except OSError as error:
            _unreachable(balancer, pick, clock, tried, error)
        except BaseException:
            pick.done(Outcome.CANCELLED, clock())
            raise
    with _counted(pick, clock), sock:
        yield sock


@contextlib.asynccontextmanager
async def opened(
    balancer: Balancer,
    *,
    timeout_s: float,
    key: bytes | None = None,
    clock: Clock = time.monotonic,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """The streams of a connection made within `timeout_s`, closed at the end of the block.

    Raises: as `connected`.
    """
    tried: list[str] = []
    while True:
        pick = _pick(balancer, clock, key, tried)
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(
                    pick.endpoint.host, pick.endpoint.port
                )
            break
        except OSError as error:
            _unreachable(balancer, pick, clock, tried, error)
        except BaseException:
            pick.done(Outcome.CANCELLED, clock())
            raise
    with _counted(pick, clock):
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _pick(balancer: Balancer, clock: Clock, key: bytes | None, tried: list[str]) -> Pick:
    pick = balancer.pick(clock(), key, tried)
    tried.append(pick.endpoint.id)
    return pick


def _unreachable(
    balancer: Balancer, pick: Pick, clock: Clock, tried: list[str], error: OSError
) -> None:
    """Note it, and raise the error if it was the last server worth trying."""
    pick.done(Outcome.UNREACHABLE, clock())
    error.add_note(f"at {pick.endpoint.address}")
    if len(tried) >= min(ATTEMPTS, balancer.size):
        raise error


@contextlib.contextmanager
def _counted(pick: Pick, clock: Clock) -> Generator[None]:
    pick.answered(clock())  # a conversation's length is no measure of the server
    try:
        yield
    except (OSError, EOFError):
        pick.done(Outcome.FAILURE, clock())
        raise
    except BaseException:
        pick.done(Outcome.CANCELLED, clock())
        raise
    pick.done(Outcome.SUCCESS, clock())
