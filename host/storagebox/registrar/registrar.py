"""The registrar of a program on a host: `phantom.registrar` with sockets and a clock.

    registrar = Registrar(membership, role=mux.ROLE_BOX, name="box", services={"clock": 4771})
    registrar.subscribe(lambda kind, peer, reason: ...)
    await registrar.start()
    registrar.find("link")

Addresses that come and go are noticed within a second, and told to the house.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from phantom.peer import TICKS_MASK, Peer
from phantom.registrar import CONFLICT, Me
from phantom.registrar import Registrar as Core
from phantom.wire.discovery import MAX_BYTES
from storagebox.journal import Journal

from .interfaces import Place, Way, places

TICK_S = 0.05
# How often the machine's addresses are looked at.
LOOK_S = 1.0
# A box sees everybody's devices; a house has fewer.
CAPACITY = 512
STRANGERS = 64
FAREWELLS = 3
FAREWELL_GAP_S = 0.03
# Datagrams taken at one go from a socket, before the loop gets to other things.
BATCH = 64

Subscriber = Callable[[str, Peer | None, str], None]


class Belonging(Protocol):
    """What the registrar wants of a membership (storagebox.installation, phantom.membership)."""

    id: str
    installation: bytes
    key: bytes
    boot: int

    def watch(self, callback: Callable[[], None]) -> None:
        """Call back after it has changed."""
        ...


class Registrar:
    """Peers of one installation, and unadopted devices.

    `address` limits it to one IPv4 address of this machine (and its interface's IPv6); None or
    "0.0.0.0" is all of them. `port` is of our link, 0 without one.
    """

    def __init__(
        self,
        membership: Belonging,
        *,
        role: int,
        name: str,
        port: int = 0,
        services: Mapping[str, int] | None = None,
        journal: Journal | None = None,
        address: str | None = None,
    ) -> None:
        self._membership = membership
        self._journal = journal or Journal(None)
        self._only = address
        self._subscribers: list[Subscriber] = []
        self._ways: dict[Place, Way] = {}
        self._task: asyncio.Task[None] | None = None
        chance = random.Random()
        me = Me(
            membership.id,
            name,
            role,
            membership.boot,
            membership.installation,
            membership.key,
            port,
        )
        me.services = dict(services or {})
        self._core = Core(
            me,
            self._send,
            lambda limit: chance.randrange(limit) if limit > 0 else 0,
            self._changed,
            capacity=CAPACITY,
            strangers=STRANGERS,
        )
        self._core.counters["unsent"] = 0

    async def start(self) -> None:
        """Open the sockets and announce ourselves. A machine without a network waits for one."""
        self._membership.watch(self._rejoin)
        self._open_ways()
        self._core.start(self._addresses(), self._now_ms())
        self._core.tick(self._now_ms())
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Say goodbye and stop."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._task = None
        for _ in range(FAREWELLS):
            self._core.goodbye()
            await asyncio.sleep(FAREWELL_GAP_S)
        for place in list(self._ways):
            self._close_way(place)

    # What is known

    @property
    def counters(self) -> dict[str, int]:
        """What was sent, heard and refused; see `phantom.registrar`."""
        return self._core.counters

    @property
    def core(self) -> Core:
        """The portable registrar, for what is written against that."""
        return self._core

    def peers(self) -> list[Peer]:
        """All peers of our installation: boards, boxes and clients."""
        return list(self._core.peers())

    def peer(self, identity: str) -> Peer | None:
        """The peer of that id."""
        return self._core.peer(identity)

    def find(self, service: str) -> list[Peer]:
        """The peers that offer a service, lowest id first."""
        return self._core.find(service)

    def unadopted(self) -> list[Peer]:
        """Devices that belong to no installation yet."""
        return list(self._core.unadopted())

    def addresses(self) -> list[str]:
        """Our own, as beacons tell them."""
        return list(self._core.me.addresses)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call callback(kind, peer, reason) at each change from now on; returns how to end that.

        Kinds and reasons: `phantom.registrar.Registrar`.
        """
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    # What others of this process know

    def note_alive(self, identity: str) -> None:
        """A link has heard from this peer just now."""
        self._core.note_alive(identity, self._now_ms())

    def set_service(self, name: str, port: int | None) -> None:
        """Offer a service at a port; None: no more."""
        self._core.set_service(name, port, self._now_ms())

    def set_flag(self, flag: int, on: bool) -> None:
        """One of the flags of phantom.wire.discovery, SERVES_TIME say."""
        self._core.set_flag(flag, on, self._now_ms())

    def set_name(self, name: str) -> None:
        """We are called something else."""
        self._core.set_name(name, self._now_ms())

    # Running

    @staticmethod
    def _now_ms() -> int:
        return time.monotonic_ns() // 1_000_000 & TICKS_MASK

    async def _run(self) -> None:
        looked = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            if time.monotonic() - looked >= LOOK_S:
                looked = time.monotonic()
                self._open_ways()
                self._core.set_addresses(self._addresses(), self._now_ms())
            self._core.tick(self._now_ms())

    def _rejoin(self) -> None:
        self._core.join(self._membership.installation, self._membership.key, self._now_ms())

    def _changed(self, kind: str, peer: Peer | None, reason: str) -> None:
        identity = peer.id if peer is not None else self._membership.id
        fields = {"id": identity}
        if peer is not None and peer.addresses:
            fields["address"] = peer.addresses[0]
        if kind == CONFLICT:
            fields["other"] = reason
            fields["remedy"] = "two devices have this id; provision one of them again"
        elif reason:
            fields["reason"] = reason
        self._journal.emit(f"peer.{kind}", **fields)
        for subscriber in list(self._subscribers):
            try:
                subscriber(kind, peer, reason)
            except Exception as fault:
                self._journal.fault("registrar.subscriber", fault)

    # Sockets

    def _addresses(self) -> Sequence[str]:
        return list(dict.fromkeys(place.host for place in self._ways))

    def _open_ways(self) -> None:
        try:
            here = places(self._only)
        except OSError as fault:  # netlink refused; the next look will tell
            self._journal.fault("registrar.interfaces", fault)
            return
        for place in list(self._ways):
            if place not in here:
                self._close_way(place)
        for place in here:
            if place in self._ways:
                continue
            try:
                way = Way(place)
            except OSError:
                continue  # IPv6 may still be looking whether the address is free
            self._ways[place] = way
            for opened in way.sockets:
                asyncio.get_running_loop().add_reader(opened, self._readable, way, opened)
        self._ways = {place: self._ways[place] for place in here if place in self._ways}

    def _close_way(self, place: Place) -> None:
        way = self._ways.pop(place)
        for opened in way.sockets:
            asyncio.get_running_loop().remove_reader(opened)
        way.close()

    def _readable(self, way: Way, opened: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                datagram, address = opened.recvfrom(MAX_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier datagram
            self._core.receive(datagram, way.sender(address), self._now_ms())

    def _send(self, datagram: bytes | bytearray, address: tuple[str, int] | None) -> None:
        for way in list(self._ways.values()):
            if address is not None and not way.place.reaches(address[0]):
                continue
            try:
                way.send(datagram, address)
            except OSError:
                self._core.counters["unsent"] += 1
            if address is not None:
                return
