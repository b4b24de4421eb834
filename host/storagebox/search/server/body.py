"""What a client sent: read up to a limit, unpacked up to the same, and as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import orjson

from storagebox.search.server import compression
from storagebox.search.writes.refused import Refused

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# What is too long is read to its end all the same, within reason: a client that is still sending
# doesn't see an answer.
_READ_ON_BYTES: Final = 256 << 20


class Gone(Exception):
    """The client went away amid its request."""


async def read(receive: Receive, encoding: str, limit: int) -> bytes:
    """The body, unpacked. Raises Refused for one of more than `limit` bytes; Gone."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    data: bytes = message.get("body", b"")
    if message.get("more_body"):
        data = await _rest(receive, data, limit)
    elif len(data) > limit:
        raise compression.too_long(limit)
    if not compression.check(encoding):
        return data
    if len(data) <= compression.LONG_PACKED_BYTES:
        return compression.unpacked(data, limit)
    return await asyncio.to_thread(compression.unpacked, data, limit)


async def skip(receive: Receive, limit: int) -> None:
    """Read a body that is of no interest, so that its sender gets to see an answer."""
    size, more = 0, True
    while more and size <= limit:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)


async def _rest(receive: Receive, first: bytes, limit: int) -> bytes:
    parts, size = [first], len(first)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= limit:
            parts.append(part)
        else:
            parts.clear()
        if not message.get("more_body") or size > limit + _READ_ON_BYTES:
            break
    if size > limit:
        raise compression.too_long(limit)
    return b"".join(parts)


def parse(body: bytes) -> Any:
    """JSON. Raises Refused."""
    if not body:
        raise Refused("No content in POST request")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        raise Refused(
            f"Invalid JSON: {fault.msg} near line:{fault.lineno} column:{fault.colno}"
        ) from None
