"""How people arrange their house: pairs, names, trims, boards taken in and dropped."""

from __future__ import annotations

import asyncio
from typing import Any

from phantom.peer import Peer
from phantom.rpc import REFUSED, RpcError
from storagebox import adoption
from storagebox.adoption import AdoptionError
from storagebox.journal import Journal
from storagebox.store.interface import StoreError

from .device import Device
from .rooms import Rooms, invalid
from .roster import Roster

# A change is on every device's way so soon after it was made.
SPREAD_AFTER_S = 0.05


class Arranging:
    """The commands that edit the topology or the installation; keeps devices' copies in step."""

    def __init__(self, rooms: Rooms, roster: Roster, journal: Journal) -> None:
        self._rooms = rooms
        self._keeper = rooms.keeper
        self._roster = roster
        self._journal = journal
        self._syncing: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._spreading: asyncio.TimerHandle | None = None
        self._keeper.subscribe(self._edited)

    async def pair(self, left: str, right: str, name: str | None = None) -> dict[str, Any]:
        """Two devices, or solo rooms, become a stereo pair. The same again swaps its sides."""
        one, other = self._rooms.device(left), self._rooms.device(right)
        system = await self._kept(self._keeper.pair(one.id, other.id, name))
        return {"room": system}

    async def unpair(self, room: str) -> dict[str, Any]:
        """A pair becomes two rooms."""
        return {"rooms": list(await self._kept(self._keeper.unpair(self._rooms.one(room).id)))}

    async def name(
        self, name: str, room: str | None = None, device: str | None = None
    ) -> dict[str, Any]:
        """Call a room, or a device, by a name."""
        if (room is None) == (device is None):
            raise invalid("name takes a room or a device")
        if room is not None:
            found = self._room_or_device(room)
            if isinstance(found, Device):
                device = found.id
            else:
                await self._kept(self._keeper.name_room(found, name))
                return {"room": found, "name": name}
        assert device is not None
        identity = self._rooms.device(device).id
        await self._kept(self._keeper.name_device(identity, name))
        return {"device": identity, "name": name}

    def _room_or_device(self, room: str) -> str | Device:
        try:
            return self._rooms.one(room).id
        except RpcError as fault:
            try:
                return self._rooms.device(room)
            except RpcError:
                raise fault from None

    async def trim(
        self,
        device: str,
        trim_us: int | None = None,
        level_db: float | None = None,
        max_volume: float | None = None,
    ) -> dict[str, Any]:
        """Fit a device to its place: latency, loudness (dB, 0 or less), a limit of volume."""
        identity = self._rooms.device(device).id
        facts = await self._kept(
            self._keeper.trim(
                identity,
                trim_us,
                None if level_db is None else round(level_db * 10),
                None if max_volume is None else round(max_volume * 100),
            )
        )
        return {
            "device": identity,
            "trim_us": facts.trim_us,
            "level_db": facts.level_db10 / 10,
            "max_volume": facts.max_volume / 100,
        }

    async def side(self, device: str, side: str) -> dict[str, Any]:
        """What a device that is a room by itself plays: both, mono, left or right."""
        identity = self._rooms.device(device).id
        await self._kept(self._keeper.side(identity, side))
        return {"device": identity, "side": side}

    async def adopt(self, device: str, code: str) -> dict[str, Any]:
        """Take a new board into this house, by the code on its serial console."""
        peer = self._waiting(device)
        wiring = self._roster.wiring
        where = peer.addresses[0], peer.port
        try:
            info = await adoption.adopt(
                *where, peer.id, code, wiring.membership, wiring.local_address
            )
        except AdoptionError as fault:
            raise RpcError(REFUSED, str(fault)) from None
        self._journal.emit("device.adopted", device=peer.id)
        return {"device": peer.id, "board": info.get("board"), "version": info.get("version")}

    def _waiting(self, device: str) -> Peer:
        waiting = [peer for peer in self._roster.registrar.unadopted() if peer.addresses]
        for peer in waiting:
            if peer.id.casefold() == device.casefold():
                return peer
        some = [peer for peer in waiting if peer.id.casefold().startswith(device.casefold())]
        if len(some) == 1 and device:
            return some[0]
        names = ", ".join(sorted(peer.id for peer in waiting)) or "none is there"
        raise invalid(f"no board {device} waits to be adopted: of those that wait, {names}")

    async def forget(self, device: str) -> dict[str, Any]:
        """Drop a device: one that is here leaves the house, and may be adopted by another."""
        known = device in self._keeper.devices()
        identity = device if known else self._rooms.device(device).id
        present = self._roster.get(identity)
        if present is not None and present.link.up:
            await present.link.call("adoption.leave", {})
        await self._kept(self._keeper.forget(identity))
        if self._roster.registrar.peer(identity) is None:
            self._roster.forget(identity)
        self._rooms.refresh()
        return {"device": identity}

    async def _kept(self, edit: Any) -> Any:
        try:
            return await edit
        except StoreError as fault:
            raise RpcError(REFUSED, str(fault)) from None

    # Copies on devices

    def sync(self, device: Device) -> None:
        """Bring a device's copy in step, soon."""
        if device.id in self._syncing:
            self._again.add(device.id)
            return
        self._syncing[device.id] = asyncio.ensure_future(self._sync(device))

    def _edited(self, keys: list[str]) -> None:
        del keys
        self._rooms.refresh()
        # Many changes may come at once, as when devices return from elsewhere.
        if self._spreading is None:
            loop = asyncio.get_running_loop()
            self._spreading = loop.call_later(SPREAD_AFTER_S, self._spread)

    def _spread(self) -> None:
        self._spreading = None
        for device in self._roster:
            if device.ready:
                self.sync(device)

    async def _sync(self, device: Device) -> None:
        try:
            while True:
                self._again.discard(device.id)
                await self._keeper.sync(device.link)
                if device.id not in self._again:
                    return
        except (RpcError, StoreError) as fault:
            if device.ready:
                self._journal.emit("topology.unsynced", device=device.id, reason=str(fault))
        finally:
            self._syncing.pop(device.id, None)
