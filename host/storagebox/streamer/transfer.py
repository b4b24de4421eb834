"""Uploads to a device over its link, behind everything else that the link carries.

How does a megabyte not hold a volume change back? No more than the device's window of BULK, some
4 KB, is ever between here and there, and RPC and audio go before what still waits here.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from phantom.rpc import CLOSED, TIMED_OUT, RpcError
from phantom.wire import bulk

from .link import Link

MEASURE = "measure"  # for the rate; the device keeps nothing
# The device reads, but takes nothing of ours: longer than any receiver may take over a piece.
STALLED_S = 10.0

# Whether the device takes nothing for a reason of its own, and is to be waited for.
Patience = Callable[[], bool]

_ids = itertools.count(1)


def _impatient() -> bool:
    return False


@dataclass(frozen=True)
class Uploaded:
    """An upload that has arrived whole."""

    size: int
    sha256: str
    seconds: float  # from the first byte until the device had said what it got

    @property
    def bytes_per_s(self) -> float:
        """How fast it went."""
        return self.size / self.seconds if self.seconds else 0.0


async def upload(
    link: Link, data: bytes, purpose: str = MEASURE, patience: Patience = _impatient
) -> Uploaded:
    """Give a device `data`. Raises RpcError: the device's, or CLOSED if the link was lost.

    `patience` is asked when the device has taken nothing for STALLED_S. Cancelled, it tells the
    device to forget what it got.
    """
    identity = next(_ids) & 0xFFFF
    digest = hashlib.sha256(data).hexdigest()
    asked = {"id": identity, "size": len(data), "purpose": purpose, "sha256": digest}
    connection = link.counters.connections
    await link.call("transfer.begin", asked)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        for offset in range(0, len(data), bulk.DATA_BYTES):
            piece = bulk.header(identity, offset) + data[offset : offset + bulk.DATA_BYTES]
            await _room(link, connection, len(piece), patience)
            link.send_bulk(piece)
        await _emptied(link, connection, patience)
        answer: Any = await link.call("transfer.end", {"id": identity})
    except BaseException as fault:
        gave_up = not isinstance(fault, RpcError) or fault.code == TIMED_OUT
        if gave_up and _stands(link, connection):
            link.rpc.notify("transfer.cancel", {"id": identity})
        raise
    if not isinstance(answer, dict) or answer.get("sha256") != digest:
        raise RpcError(CLOSED, "the device says that it got something else")
    return Uploaded(len(data), digest, loop.time() - began_s)


def _stands(link: Link, connection: int) -> bool:
    return link.up and link.counters.connections == connection


async def _room(link: Link, connection: int, size: int, patience: Patience) -> None:
    while _standing(link, connection) and link.bulk_room() < size:
        await _moved(link, patience)


async def _emptied(link: Link, connection: int, patience: Patience) -> None:
    """Until nothing waits here that the call of the end could overtake."""
    while _standing(link, connection) and link.bulk_waits():
        await _moved(link, patience)


def _standing(link: Link, connection: int) -> bool:
    if not _stands(link, connection):
        raise RpcError(CLOSED, "the link was lost during the upload")
    return True


async def _moved(link: Link, patience: Patience) -> None:
    link.bulk_moved.clear()
    try:
        await asyncio.wait_for(link.bulk_moved.wait(), STALLED_S)
    except TimeoutError:
        if patience():
            return
        raise RpcError(TIMED_OUT, f"the device takes nothing for {STALLED_S:g} s") from None
