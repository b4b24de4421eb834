"""The coordinator of one box: its parts put together, and the commands of people.

Topology is in the store. All else is transient: which devices are there, groups, sessions,
volumes, health. A coordinator that starts learns it from the devices (`rebuilding`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from phantom.rpc import REFUSED, TIMED_OUT, RpcError
from storagebox.sources.pool import SourcePool
from storagebox.store.interface import Store
from storagebox.streamer.house_clock import HouseTime

from .aggregation import Aggregation
from .arranging import Arranging
from .device import Device
from .playing import Playing
from .rebuilding import Rebuilding
from .rooms import Rooms, invalid
from .roster import Registrar, Roster, Wiring
from .session import ALIVE
from .status import Status
from .topology import TopologyKeeper
from .volumes import Volumes

# A call that a person makes by hand, of any method.
CALL_TIMEOUT_S = 5.0


class Subscriber(Protocol):
    """A client of the control socket that wants to be told (`storagebox.control`)."""

    def notify(self, method: str, params: Mapping[str, Any]) -> None: ...
    def on_close(self, callback: Callable[[], object]) -> None: ...


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
        self._watchers: list[tuple[Subscriber, str | None]] = []
        self.roster = Roster(registrar, wiring, self)
        self.keeper = TopologyKeeper(store, membership.id, self.roster.present)
        self.rooms = Rooms(self.keeper, self.roster, membership.boot, self._rooms_changed)
        rng = random.Random(wiring.rng.random())
        self.playing = Playing(
            self.rooms, self.roster, pool, house, journal, rng, membership, music
        )
        self.volumes = Volumes(self.rooms)
        self.aggregation = Aggregation(self.playing, self.rooms, self.roster, journal)
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
        now_s = asyncio.get_running_loop().time
        self._rebuilding = Rebuilding(
            self.playing, self.rooms, self.roster, journal, now_s, self._expected
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
        for _, session in self.playing.alive():
            session.stop("the box is switched off")
        await asyncio.sleep(0)  # what devices are told goes out first
        await self.roster.close()

    def tick(self, now_s: float) -> None:
        """Twenty times a second."""
        self.roster.tick(now_s)
        self.aggregation.tick(now_s)

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
        self._tell({"kind": "device", "device": device.id, "state": _state(device)}, device.id)

    def _rooms_changed(self) -> None:
        self.playing.reconcile()
        self._tell({"kind": "rooms"}, None)

    # Commands that are nobody else's

    async def call(self, device: str, method: Any, params: Any = None) -> Any:
        """Call any method of a device."""
        if not isinstance(method, str) or not method:
            raise invalid("method must be a text")
        if params is not None and not isinstance(params, dict):
            raise invalid("params must be an object")
        found = self.rooms.device(device)
        if not found.ready:
            raise RpcError(REFUSED, f"{found.id} is away: {self.roster.why_gone(found.id)}")
        return await found.link.call(method, params or {}, CALL_TIMEOUT_S)

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

    def list_rooms(self) -> list[dict[str, Any]]:
        """The rooms and their devices."""
        return self._status.rooms()

    def watch(self, subscriber: Subscriber, device: str | None = None) -> bool:
        """Tell this client of changes, of one device or of all."""
        identity = None if device is None else self.rooms.device(device).id
        entry = (subscriber, identity)
        self._watchers.append(entry)
        subscriber.on_close(lambda: self._watchers.remove(entry))
        return True

    def _tell(self, change: dict[str, Any], device: str | None) -> None:
        for subscriber, wanted in self._watchers:
            if wanted is None or wanted == device:
                subscriber.notify("changed", change)

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


def _state(device: Device) -> str | None:
    if not device.ready:
        return "gone"
    return device.report.get("state") if device.report else None
