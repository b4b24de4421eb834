"""The coordinator of one box: its parts put together, and the commands of people.

Topology is in the store. All else is transient: which devices are there, groups, sessions,
volumes, health. A coordinator that starts learns it from the devices (`rebuilding`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phantom.rpc import REFUSED, TIMED_OUT, RpcError, whole
from phantom.wire import bulk
from storagebox.identify import ring
from storagebox.sources.pool import SourcePool
from storagebox.store.interface import Store
from storagebox.streamer.house_clock import HouseTime
from storagebox.streamer.transfer import upload

from . import choices
from .aggregation import Aggregation
from .arranging import Arranging
from .changes import Changes, Subscriber
from .device import Device
from .notes import Notes
from .playing import Playing
from .rebuilding import Rebuilding
from .rooms import Rooms, invalid
from .roster import Registrar, Roster, Wiring
from .session import ALIVE
from .status import Status
from .topology import TopologyKeeper
from .updates.devices import candidates_of
from .updates.house import HouseUpdates, update_one
from .updates.proving import Proving
from .volumes import Volumes

# What has changed is told so often: soon for a person, seldom for the box.
LOOK_EVERY_S = 0.1
# Long enough, over good Wi-Fi, for a rate that means something.
MEASURE_BYTES = 1 << 20


class Coordinator:
    """Commands raise RpcError with a message for people. `load` it, then `start`."""

    def __init__(
        self,
        registrar: Registrar,
        store: Store,
        pool: SourcePool,
        house: HouseTime,
        wiring: Wiring,
        *,
        music: Path | None,
    ) -> None:
        journal, membership = wiring.journal, wiring.membership
        self.journal = journal
        self.roster = Roster(registrar, wiring, self)
        self.keeper = TopologyKeeper(store, membership.id, self.roster.present)
        self.rooms = Rooms(self.keeper, self.roster, membership.boot, self._rooms_changed)
        rng = random.Random(wiring.rng.random())
        self.playing = Playing(
            self.rooms, self.roster, pool, house, journal, rng, membership, music
        )
        self.volumes = Volumes(self.rooms)
        notes = Notes(self.playing, self.rooms, house, membership.id)
        self.aggregation = Aggregation(self.playing, notes, self.rooms, self.roster, journal)
        self.arranging = Arranging(self.rooms, self.roster, journal)
        self._status = Status(
            membership,
            house,
            self.roster,
            self.rooms,
            self.playing,
            self.volumes,
            self.aggregation,
            journal,
        )
        self._changes = Changes(self._status.whole)
        self._looked_s = 0.0
        now_s = asyncio.get_running_loop().time
        self.updates = HouseUpdates(
            candidates_of(self.rooms, self.roster), update_one(membership.key, now_s)
        )
        self._proving = Proving(self.roster, house, journal, self.playing.next_number)
        self._rebuilding = Rebuilding(
            self.playing, notes, self.rooms, self.roster, journal, now_s, self._expected
        )
        self._gathering: asyncio.Task[None] | None = None

    # Life

    async def load(self) -> None:
        """Read the topology. Raises StoreError."""
        await self.keeper.load()
        for fault in self.keeper.faults:
            self.journal.emit("topology.damaged", fault=fault)
        self.rooms.refresh()

    def start(self) -> None:
        """Begin to look for the devices, and to go on with what they play."""
        self.roster.start()
        self._gathering = asyncio.ensure_future(self._rebuilding.gather())

    async def close(self) -> None:
        """Stop the music and say goodbye to every device."""
        if self._gathering:
            self._gathering.cancel()
        await self.updates.cancel()
        for _, session in self.playing.alive():
            session.stop("the box is switched off")
        await asyncio.sleep(0)  # what devices are told goes out first
        await self.roster.close()

    def tick(self, now_s: float) -> None:
        """Twenty times a second."""
        self.roster.tick(now_s)
        self.aggregation.tick(now_s)
        self._proving.tick(now_s)
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            self._changes.look()

    def pump(self, now_us: int) -> None:
        """Send what is due."""
        self.playing.pump(now_us)

    def _expected(self) -> int:
        """Devices that are surely here: those that the registrar lists."""
        return sum(1 for device in self.roster if self.roster.listed(device.id))

    # What happens to devices (see device.Listener)

    def ready(self, device: Device) -> None:
        """It can be given a stream."""
        self.rooms.refresh()
        self.arranging.sync(device)
        self.playing.reconcile()
        self._rebuilding.ready(device)

    def gone(self, device: Device) -> None:
        """It can't any more."""
        self.playing.lost(device)

    def changed(self, device: Device) -> None:
        """Something else about it."""
        self.rooms.refresh()
        self.playing.wake()

    def told(self, device: Device, name: str, value: Any) -> None:
        """It has told a property."""
        self._changes.property(device.id, name, value)

    def _rooms_changed(self) -> None:
        self.playing.reconcile()

    # Commands that are nobody else's

    async def call(self, device: str, method: Any, params: Any = None) -> Any:
        """Call any method of a device."""
        if not isinstance(method, str) or not method:
            raise invalid("method must be a text")
        if params is not None and not isinstance(params, dict):
            raise invalid("params must be an object")
        return await self._here(device).link.call(method, params or {})

    async def measure(self, device: str, size: Any = MEASURE_BYTES) -> dict[str, Any]:
        """Upload `size` bytes that nobody keeps to a device, to see how fast its link is."""
        whole(size, 0, bulk.MAX_SIZE, "size")
        found = self._here(device)
        done = await upload(found.link, random.Random(size).randbytes(size))
        return {
            "device": found.id,
            "size": done.size,
            "seconds": round(done.seconds, 3),
            "bytes_per_s": round(done.bytes_per_s),
        }

    def _here(self, device: str) -> Device:
        """A device that is connected. Raises RpcError."""
        found = self.rooms.device(device)
        if not found.ready:
            raise RpcError(REFUSED, f"{found.id} is away: {self.roster.why_gone(found.id)}")
        return found

    async def identify(self, rooms: Sequence[str] | None = None) -> dict[str, Any]:
        """Let rooms, or devices by their ids, chime at the same instant, but where music plays."""
        devices = self._rooms_or_devices(rooms)
        calls = {device.id: device.link.call for device in devices if device.ready}
        rung = await ring(calls, self.playing.house_us())
        if not rung.chiming:
            why = "; ".join(f"{name}: {text}" for name, text in rung.refused.items())
            raise RpcError(REFUSED, why or "no device of these is there")
        away = [device.id for device in devices if not device.ready]
        return {**rung.as_dict(), "away": away}

    def _rooms_or_devices(self, names: Sequence[str] | None) -> list[Device]:
        if names is None:
            return list(self.roster)
        found: dict[str, Device] = {}
        for name in names:
            device = self.roster.get(name)
            rooms = [] if device is not None else self.rooms.named([name])
            devices = [device] if device else [d for r in rooms for d in self.rooms.devices(r)]
            found |= {device.id: device for device in devices}
        return list(found.values())

    async def wait(
        self, what: str, timeout_s: float | None = None, count: int | None = None
    ) -> bool:
        """Wait for "devices" (all known ones, at least `count`, connected and synchronised) or
        for the "end" of all sessions."""
        if what == "devices":
            done = lambda: self._all_synchronised(count or 0)  # noqa: E731
        elif what == "end":
            done = self._nothing_plays
        else:
            raise invalid(f"can wait for devices or end, not {what!r}")
        try:
            async with asyncio.timeout(timeout_s):
                while not done():
                    await self.playing.changed.wait()
        except TimeoutError:
            raise RpcError(TIMED_OUT, self._why_not(what, count or 0)) from None
        return True

    def status(self) -> dict[str, Any]:
        """What plays, where, and how well."""
        return self._status.whole()

    def chosen(self, server: str | None, *, keeps: bool) -> list[dict[str, Any]]:
        """Who was chosen, by whom and why: for time, and to send sound.

        `server` is whom this box asks for the time, and `keeps` whether others may ask it.
        """
        own = choices.Asking(server, keeps=keeps)
        return [choice.as_dict() for choice in choices.of_house(own, self.roster, self.rooms)]

    def list_rooms(self) -> list[dict[str, Any]]:
        """The rooms and their devices."""
        return self._status.rooms()

    def watch(self, subscriber: Subscriber, device: str | None = None) -> bool:
        """Tell this client of changes; of one device, all its properties first."""
        found = None if device is None else self.rooms.device(device)
        self._changes.watch(subscriber, None if found is None else found.id)
        if found is not None:
            for name, value in sorted(found.properties.values.items()):
                told = {"kind": "property", "device": found.id, "name": name, "value": value}
                subscriber.notify("changed", told)
        return True

    # What waiting rests on

    def _all_synchronised(self, count: int) -> bool:
        known = [identity for room in self.rooms for identity, _ in room.devices]
        devices = [self.roster.get(identity) for identity in known]
        return len(known) >= max(count, 1) and all(d and d.synchronised for d in devices)

    def _nothing_plays(self) -> bool:
        return not any(
            session.state in ALIVE and session.state != "paused"
            for _, session in self.playing.alive()
        )

    def _why_not(self, what: str, count: int) -> str:
        if what == "end":
            return "still playing"
        known = [identity for room in self.rooms for identity, _ in room.devices]
        missing: list[str] = []
        for identity in known:
            device = self.roster.get(identity)
            if device is None or not device.ready:
                missing.append(f"{identity} ({self.roster.why_gone(identity)})")
            elif not device.synchronised:
                missing.append(f"{identity} (not in time yet)")
        if len(known) < max(count, 1):
            missing.append(f"{max(count, 1) - len(known)} that were never seen")
        return f"still missing: {', '.join(missing)}"
