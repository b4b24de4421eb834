"""Let devices chime at the same instant, to tell which is which, where no box runs.

Finds the devices by their beacons, asks them what time it is in the house, and links to them as a
client for a second. Where a box runs, it does it itself, over links that stand.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from phantom.peer import Peer
from phantom.rpc import RpcError
from phantom.wire import mux

from . import installation
from .installation import Membership
from .journal import Journal
from .registrar import Registrar
from .streamer.channels import Hello
from .streamer.follow import follow_devices
from .streamer.link import Link
from .streamer.sweep import Sweep

# Every device has heard of a start by then, over Wi-Fi that is not at its best.
LEAD_US = 400_000
# Devices answer a client that looks for them within a fraction of this.
FIND_S = 1.5
# Once nobody new has come for so long, these are all.
_QUIET_S = 0.3
_POLL_S = 0.02
_CONNECT_S = 2.0
_CALL_S = 0.3  # later than this a device would be refused its start anyway
_TICK_S = 0.05

Call = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


class NobodyError(Exception):
    """There is nobody to ring, or no time to ring at; one line that says why and what to do."""


@dataclass(frozen=True)
class Rung:
    """Who chimes from `start_us` of house time on, who would not and why, and who is not there:
    ids of devices. A box's `identify` answers the same."""

    start_us: int
    chiming: list[str]
    refused: dict[str, str]
    away: list[str]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


async def ring(calls: Mapping[str, Call], now_us: int) -> Rung:
    """Have devices chime together; `calls` is how to call each, `now_us` is house time."""
    start_us = now_us + LEAD_US
    params = {"start_us": start_us, "kind": "identify"}
    answers = await asyncio.gather(
        *(call("chime.play", params) for call in calls.values()), return_exceptions=True
    )
    refused: dict[str, str] = {}
    for identity, answer in zip(calls, answers, strict=True):
        if isinstance(answer, RpcError):
            refused[identity] = answer.message
        elif isinstance(answer, BaseException):
            raise answer
    chiming = [identity for identity in calls if identity not in refused]
    return Rung(start_us, chiming, refused, [])


async def identify(
    state: Path, which: Sequence[str] | None = None, address: str | None = None
) -> Rung:
    """Ring devices where no box runs: all, or `which` by name or id.

    `state` is the folder of a box of this installation, which has its key. Raises NobodyError, and
    InstallationError if there is no such folder.
    """
    membership = installation.client(state)
    registrar = Registrar(membership, role=mux.ROLE_CLIENT, name=membership.id, address=address)
    await registrar.start()
    try:
        devices = await _find(registrar, which)
        timeline = await follow_devices(registrar.peers())
        if timeline is None:
            raise NobodyError("no device knows what time it is yet: try again in some seconds")
        async with _Links(membership, devices, address) as links:
            away = await links.connect()
            now_us = time.monotonic_ns() // 1000 + timeline.offset_us
            rung = await ring(links.calls(), now_us)
        return Rung(rung.start_us, rung.chiming, rung.refused, away)
    finally:
        await registrar.close()


async def _find(registrar: Registrar, which: Sequence[str] | None) -> list[Peer]:
    """The devices meant, as soon as they are surely all."""
    loop = asyncio.get_running_loop()
    began_s = last_s = loop.time()
    seen = 0
    while (now_s := loop.time()) - began_s < FIND_S:
        here = _devices(registrar)
        if len(here) != seen:
            seen, last_s = len(here), now_s
        if which is not None and all(_named(here, name) for name in which):
            break
        if which is None and seen and now_s - last_s >= _QUIET_S:
            break
        await asyncio.sleep(_POLL_S)
    here = _devices(registrar)
    if not here:
        raise NobodyError("no device of this installation is here: is one switched on?")
    return here if which is None else choose(here, which)


def _devices(registrar: Registrar) -> list[Peer]:
    return [
        peer
        for peer in registrar.peers()
        if peer.role == mux.ROLE_DEVICE and peer.addresses and peer.port
    ]


def choose(devices: Sequence[Peer], which: Iterable[str]) -> list[Peer]:
    """The devices of these names or ids, or their beginnings. Raises NobodyError."""
    chosen: dict[str, Peer] = {}
    for name in which:
        some = _named(devices, name)
        if not some:
            known = ", ".join(sorted(peer.name for peer in devices))
            raise NobodyError(f"no device {name!r}; there are {known}")
        chosen |= {peer.id: peer for peer in some}
    return list(chosen.values())


def _named(devices: Sequence[Peer], name: str) -> list[Peer]:
    wanted = name.casefold()
    exact = [p for p in devices if wanted in (p.id.casefold(), p.name.casefold())]
    if exact:
        return exact
    some = [
        p
        for p in devices
        if p.id.casefold().startswith(wanted) or p.name.casefold().startswith(wanted)
    ]
    return some if len(some) == 1 else []


class _Links:
    """Links of a client to some devices, for as long as the block lasts."""

    def __init__(
        self, membership: Membership, devices: Sequence[Peer], address: str | None
    ) -> None:
        self._sweep = Sweep(asyncio.get_running_loop())
        self._up = {peer.id: asyncio.Event() for peer in devices}
        self._links = {peer.id: self._link(membership, peer, address) for peer in devices}
        self._tasks: list[asyncio.Task[None]] = []

    def _link(self, membership: Membership, peer: Peer, address: str | None) -> Link:
        def on_up(_: Hello) -> None:
            self._up[peer.id].set()

        return Link(
            peer.addresses[0],
            peer.port,
            membership=membership,
            role=mux.ROLE_CLIENT,
            sweep=self._sweep,
            rng=random.Random(),
            local_address=address,
            on_up=on_up,
            on_fault=Journal(None).fault,
        )

    async def __aenter__(self) -> _Links:
        self._tasks = [asyncio.ensure_future(link.run()) for link in self._links.values()]
        self._tasks.append(asyncio.ensure_future(self._tick()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sweep.close()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for link in self._links.values():
                link.tick(loop.time())
            await asyncio.sleep(_TICK_S)

    async def connect(self) -> list[str]:
        """Wait for the links; the ids of those that don't stand."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CONNECT_S):
                await asyncio.gather(*(event.wait() for event in self._up.values()))
        return [identity for identity, link in self._links.items() if not link.up]

    def calls(self) -> dict[str, Call]:
        """How to call each device whose link stands."""

        def call_of(link: Link) -> Call:
            return lambda method, params: link.call(method, params, _CALL_S)

        return {identity: call_of(link) for identity, link in self._links.items() if link.up}
