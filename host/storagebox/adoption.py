"""Takes new boards into an installation, over a link that the code on their console proves.

    await adopt(address, LINK_PORT, "kitchen", "ABCD-EFGH-2345", membership)

The installation's key travels masked with what only the two ends of that link know. The code has
60 bits and costs a thousand hashes a guess, so a recorded adoption is no way to the key.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from phantom.adoption import mask, tag
from phantom.membership import NO_INSTALLATION, NO_KEY, code_key, tidy_code
from phantom.rpc import RpcError

from .installation import Membership
from .streamer.link import Link
from .streamer.sweep import Sweep

# A handshake, for which a board derives the key of its code; and one more try.
CONNECT_S = 6.0
_TICK_S = 0.05


class AdoptionError(Exception):
    """The board was not adopted; one line that says why and what to do."""


@dataclass
class _Adopter(Membership):
    """Who adopts: of no installation on this link, and with the key of a device's code."""

    device_key: bytes = b""

    def code_key(self) -> bytes | None:
        return self.device_key


async def adopt(
    address: str,
    port: int,
    device: str,
    code: str,
    membership: Membership,
    local_address: str | None = None,
) -> dict[str, Any]:
    """Make `device` one of `membership`'s installation; its device.info. Raises AdoptionError."""
    try:
        key = code_key(tidy_code(code), device)
    except ValueError as fault:
        raise AdoptionError(f"{device}: {fault}") from None
    adopter = _Adopter(
        membership.id, NO_INSTALLATION, NO_KEY, "", adopted=False, boot=1, device_key=key
    )
    sweep = Sweep(asyncio.get_running_loop())
    up = asyncio.Event()
    link = Link(
        address,
        port,
        membership=adopter,
        sweep=sweep,
        rng=random.Random(),
        local_address=local_address,
        on_up=lambda _: up.set(),
    )
    tasks = [asyncio.ensure_future(link.run()), asyncio.ensure_future(_tick(link))]
    try:
        await _connected(link, up, device)
        return await _hand_over(link, device, membership)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        sweep.close()


async def _connected(link: Link, up: asyncio.Event, device: str) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(CONNECT_S):
            while not up.is_set() and link.counters.last_reason not in (
                "stranger",
                "goodbye: stranger",
            ):
                with suppress(TimeoutError):
                    await asyncio.wait_for(up.wait(), _TICK_S)
    if up.is_set():
        return
    reason = link.counters.last_reason
    if reason in ("stranger", "goodbye: stranger"):
        raise AdoptionError(
            f"{device}: this is not its code, or it is adopted already; "
            "read the code on its serial console"
        )
    raise AdoptionError(f"{device}: no connection to {link.address} ({reason or 'no answer'})")


async def _hand_over(link: Link, device: str, membership: Membership) -> dict[str, Any]:
    secret = link.secret()
    masked = mask(secret, membership.key)
    terms = {
        "installation": membership.installation.hex(),
        "key_masked": masked.hex(),
        "name": membership.name,
        "tag": tag(secret, membership.installation, masked, membership.name).hex(),
    }
    try:
        info = await link.call("device.info", {})
        await link.call("adoption.adopt", terms)
    except RpcError as fault:
        raise AdoptionError(f"{device}: {fault.message}") from None
    return info if isinstance(info, dict) else {}


async def _tick(link: Link) -> None:
    loop = asyncio.get_running_loop()
    while True:
        link.tick(loop.time())
        await asyncio.sleep(_TICK_S)
