"""What an exception of the HTTP layer says: whose fault it was, and how httpx would say it."""

import asyncio

import httpcore
import httpx

from storagebox.balance.outcome import Outcome

_UNSENT = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpx.ConnectError,
    httpx.ConnectTimeout,
)
# A full pool is a TimeoutException too, but of this side's making.
_OURS = (
    httpcore.PoolTimeout,
    httpcore.UnsupportedProtocol,
    httpcore.LocalProtocolError,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
_SERVERS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.RemoteProtocolError,
    httpcore.ProxyError,
    httpx.TransportError,
)


def outcome_of_error(error: BaseException) -> Outcome:
    """Who has to answer for an attempt that ended so."""
    if isinstance(error, _UNSENT):
        return Outcome.UNREACHABLE
    if isinstance(error, _OURS):
        return Outcome.CLIENT_FAULT
    if isinstance(error, _SERVERS):
        return Outcome.FAILURE
    if isinstance(error, (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt)):
        return Outcome.CANCELLED
    return Outcome.CLIENT_FAULT


def as_httpx(error: BaseException) -> BaseException:
    """The same error as httpx would raise it: httpcore's exceptions bear the same names."""
    if not isinstance(
        error,
        httpcore.ConnectionNotAvailable
        | httpcore.TimeoutException
        | httpcore.NetworkError
        | httpcore.ProtocolError
        | httpcore.ProxyError
        | httpcore.UnsupportedProtocol,
    ):
        return error
    for kind in type(error).__mro__:
        known = getattr(httpx, kind.__name__, None)
        if isinstance(known, type) and issubclass(known, httpx.TransportError):
            return known(str(error) or type(error).__name__)
    return error
