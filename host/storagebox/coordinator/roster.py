"""The devices of the house, as beacons tell of them: found, moved, gone, found again.

A device that is known stays known while the box runs, so that its room can say why it is silent.
Its link is tried while the registrar lists the device, and for as long as it stands.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from phantom.peer import Peer
from phantom.registrar import ADDED, CONFLICT, REMOVED
from phantom.wire import mux
from storagebox.installation import Membership
from storagebox.journal import Journal
from storagebox.streamer.channels import Hello
from storagebox.streamer.link import Link
from storagebox.streamer.sweep import Sweep

from .device import Device, Listener

Subscriber = Callable[[str, Peer | None, str], None]
# The link hears from a device more often than the registrar does.
_ALIVE_EVERY_S = 0.5


class Registrar(Protocol):
    """The part of `storagebox.registrar.Registrar` that the coordinator uses."""

    def peers(self) -> list[Peer]: ...
    def peer(self, identity: str) -> Peer | None: ...
    def unadopted(self) -> list[Peer]: ...
    def subscribe(self, callback: Subscriber) -> Callable[[], None]: ...
    def note_alive(self, identity: str) -> None: ...


@dataclass(frozen=True)
class Wiring:
    """What every link of this box is made with."""

    membership: Membership
    sweep: Sweep
    rng: random.Random
    journal: Journal
    local_address: str | None = None


class Roster:
    """Devices by id, in the order in which they were found."""

    def __init__(self, registrar: Registrar, wiring: Wiring, listener: Listener) -> None:
        self.registrar = registrar
        self.wiring = wiring
        self._listener = listener
        self._devices: dict[str, Device] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._gone: dict[str, str] = {}  # why those that the registrar lost are not there
        self._alive_s = 0.0
        self._unsubscribe: Callable[[], None] | None = None

    # Life

    def start(self) -> None:
        """Begin with those that are there already."""
        self._unsubscribe = self.registrar.subscribe(self._peer_changed)
        for peer in self.registrar.peers():
            self._found(peer)

    async def close(self) -> None:
        """Say goodbye to every device."""
        if self._unsubscribe:
            self._unsubscribe()
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def tick(self, now_s: float) -> None:
        """Twenty times a second: time-outs and pings, and news of life for the registrar."""
        for device in self:
            device.link.tick(now_s)
        if now_s - self._alive_s < _ALIVE_EVERY_S:
            return
        self._alive_s = now_s
        for device in self:
            quiet_s = device.quiet_s(now_s)
            if quiet_s is not None and quiet_s < _ALIVE_EVERY_S:
                self.registrar.note_alive(device.id)
            elif device.id in self._gone and not device.link.up:
                self._rest(device.id)

    # What is known

    def __iter__(self) -> Iterator[Device]:
        return iter(list(self._devices.values()))

    def get(self, identity: str) -> Device | None:
        """The device of this id, if it was ever found."""
        return self._devices.get(identity)

    def present(self) -> list[tuple[str, str]]:
        """(id, name) of every device that is here, or was."""
        return [(device.id, device.name) for device in self]

    def why_gone(self, identity: str) -> str:
        """Why a device is not connected, in words."""
        device = self._devices.get(identity)
        if device is None:
            return "never seen: is it switched on?"
        if identity in self._gone:
            return self._gone[identity]
        return device.link.counters.last_reason or "connecting"

    def listed(self, identity: str) -> bool:
        """Whether the registrar hears it."""
        return identity in self._running and identity not in self._gone

    def forget(self, identity: str) -> None:
        """Know it no more, until it is found again."""
        self._rest(identity)
        self._devices.pop(identity, None)
        self._gone.pop(identity, None)

    # What the registrar says

    def _peer_changed(self, kind: str, peer: Peer | None, reason: str) -> None:
        if peer is None or peer.role != mux.ROLE_DEVICE or kind == CONFLICT:
            return
        if kind == REMOVED:
            device = self._devices.get(peer.id)
            if device is None:
                return
            self._gone[peer.id] = _GONE.get(reason, reason)
            if reason == "goodbye":
                device.link.disconnect("goodbye: shutdown")
            if not device.link.up:
                self._rest(peer.id)
            self._listener.changed(device)
        else:
            self._found(peer)
            device = self._devices.get(peer.id)
            if device is not None and (kind == ADDED or reason == "restarted"):
                device.link.hurry()

    def _found(self, peer: Peer) -> None:
        if peer.role != mux.ROLE_DEVICE or not peer.addresses or not peer.port:
            return
        self._gone.pop(peer.id, None)
        device = self._devices.get(peer.id)
        if device is None:
            device = self._devices[peer.id] = self._new(peer)
        else:
            device.link.move(peer.addresses[0], peer.port)
        device.flags = peer.flags
        if peer.id not in self._running:
            self._running[peer.id] = asyncio.ensure_future(device.link.run())
        self._listener.changed(device)

    def _new(self, peer: Peer) -> Device:
        wiring = self.wiring
        address, port = peer.addresses[0], peer.port

        def make_link(on_up: Callable[[Hello], None], on_down: Callable[[str], None]) -> Link:
            return Link(
                address,
                port,
                membership=wiring.membership,
                sweep=wiring.sweep,
                rng=random.Random(wiring.rng.random()),
                local_address=wiring.local_address,
                on_up=on_up,
                on_down=on_down,
                on_fault=wiring.journal.fault,
            )

        now_s = asyncio.get_running_loop().time
        return Device(peer.id, peer.name, make_link, wiring.journal, self._listener, now_s)

    def _rest(self, identity: str) -> None:
        """Try its link no more."""
        task = self._running.pop(identity, None)
        if task:
            task.cancel()


_GONE = {
    "goodbye": "switched off",
    "timed out": "no sign of life: has it power and Wi-Fi?",
    "left": "in another installation now",
}
