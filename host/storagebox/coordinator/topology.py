"""The house's topology on its box: the store is the authority, every device keeps a copy.

Edits are made on a copy, written to the store, and only then count. What a device knows that the
box does not, a change made while the box was away or a house that a box with a new disk has yet to
learn, is merged in by the same rule as everywhere (`phantom.topology`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from phantom.authority import Authority, pair_id
from phantom.rpc import INVALID_PARAMS, RpcError
from phantom.topology import MAX_ENTRIES, PAGE_BYTES, TopologyError
from storagebox.store.interface import MAX_COMMIT_CHANGES, Store

PREFIX = "topology/"  # in the store, before an entry's key

Json = Any  # what json.loads gives
Value = dict[str, Any] | None
Present = Callable[[], Iterable[tuple[str, str]]]


class Peer(Protocol):
    """A device's link, as far as topology needs it."""

    async def call(self, method: str, params: Mapping[str, Json]) -> Json:
        """The answer; raises RpcError."""
        ...


@dataclass(frozen=True)
class System:
    """One or two devices that always share playback and volume."""

    id: str
    name: str
    devices: tuple[tuple[str, str], ...]  # (device id, side)

    @property
    def kind(self) -> str:
        """solo or pair."""
        return "pair" if len(self.devices) == 2 else "solo"


@dataclass(frozen=True)
class DeviceFacts:
    """What the topology says of a device; the defaults for one it has no entry of."""

    name: str
    system: str
    side: str
    trim_us: int
    level_db10: int
    max_volume: int


class TopologyKeeper:
    """Loads, edits and keeps the topology. `author` is the box's id.

    `present` gives (id, name) of the devices that are here now, with or without an entry: so a new
    device is a room at once and can be named, trimmed and paired. Edits raise RpcError
    INVALID_PARAMS with a remedy, or StoreError if the change could not be kept.
    """

    def __init__(self, store: Store, author: str, present: Present = tuple) -> None:
        self._store = store
        self._topology = Authority(author)
        self._present = present
        self._changing = asyncio.Lock()
        self._watchers: list[Callable[[list[str]], None]] = []
        self.faults: list[str] = []  # entries of the store that were not usable

    async def load(self) -> None:
        """Read the store; entries that are damaged are left out and listed in `faults`."""
        for entry in await self._store.range(PREFIX):
            try:
                self._topology.merge([_decoded(entry.key, entry.value)])
            except ValueError as fault:
                self.faults.append(f"store: {entry.key}: {fault}")

    def subscribe(self, callback: Callable[[list[str]], None]) -> Callable[[], None]:
        """Call callback(keys) after each change; returns what ends that."""
        self._watchers.append(callback)
        return lambda: self._watchers.remove(callback)

    # Views

    @property
    def version(self) -> int:
        """The highest counter of any change so far."""
        return self._topology.version

    @property
    def digest(self) -> str:
        """What two copies share if they hold the same."""
        return self._topology.digest

    @property
    def empty(self) -> bool:
        """Whether nothing is known yet: a new box, or one with a new disk."""
        return not self._topology.version

    def systems(self) -> list[System]:
        """All systems, those of devices that are here without an entry among them."""
        return [
            System(system["id"], system["name"], tuple(system["devices"]))
            for system in self._topology.systems(self._present())
        ]

    def system_of(self, device: str) -> System:
        """The system that a device is in. Raises RpcError for one that is not known."""
        for system in self.systems():
            if any(member == device for member, _ in system.devices):
                return system
        known = ", ".join(sorted(self._known())) or "none yet"
        raise _invalid(f"no device {device!r}; there are: {known}")

    def devices(self) -> list[str]:
        """The ids of all devices that have an entry."""
        return self._topology.devices()

    def device(self, device: str) -> DeviceFacts:
        """What is said of a device."""
        return DeviceFacts(**self._facts(device))

    # Edits

    async def pair(self, left: str, right: str, name: str | None = None) -> str:
        """Make a stereo pair; returns the system's id. Also swaps the sides of one."""
        if left == right:
            raise _invalid(f"a pair has two devices, not {left!r} twice")
        system = pair_id(left, right)
        for device in (left, right):
            found = self.system_of(device)
            if found.kind == "pair" and found.id != system:
                raise _invalid(f"{device} is one half of {found.name!r}: unpair that first")
        changes: dict[str, Value] = {
            f"d:{left}": {**self._facts(left), "system": system, "side": "left"},
            f"d:{right}": {**self._facts(right), "system": system, "side": "right"},
        }
        if name is not None:
            changes[f"s:{system}"] = {"name": self._free_name(name, {system, left, right})}
        await self._change(changes)
        return system

    async def unpair(self, system: str) -> tuple[str, str]:
        """Part a pair into two solo systems; returns their ids, left first."""
        found = self._system(system)
        if found.kind != "pair":
            raise _invalid(f"{found.name!r} is no pair: it has one device")
        await self._change(self._parted(found))
        return found.devices[0][0], found.devices[1][0]

    async def name_room(self, system: str, name: str) -> None:
        """Name a system."""
        found = self._system(system)
        await self._change({f"s:{found.id}": {"name": self._free_name(name, {found.id})}})

    async def name_device(self, device: str, name: str) -> None:
        """Name a device; its room too, while that is its own and has no name of its own."""
        self.system_of(device)
        await self._change({f"d:{device}": {**self._facts(device), "name": name}})

    async def trim(
        self,
        device: str,
        trim_us: int | None = None,
        level_db10: int | None = None,
        max_volume: int | None = None,
    ) -> DeviceFacts:
        """Set a device's latency trim, level (tenths of a dB, 0 or less) and volume limit."""
        self.system_of(device)
        given = {"trim_us": trim_us, "level_db10": level_db10, "max_volume": max_volume}
        wanted = {key: value for key, value in given.items() if value is not None}
        if wanted:
            await self._change({f"d:{device}": {**self._facts(device), **wanted}})
        return self.device(device)

    async def side(self, device: str, side: str) -> None:
        """What a solo device plays: both channels, mono, or one of them."""
        found = self.system_of(device)
        if found.kind == "pair":
            raise _invalid(f"{device} is one half of {found.name!r}: its side is the pair's")
        facts = {**self._facts(device), "system": device, "side": side}
        await self._change({f"d:{device}": facts})

    async def forget(self, device: str) -> None:
        """Drop a device and its room; a partner goes on alone. One that is here is new again."""
        found = self.system_of(device)
        changes = self._parted(found) if found.kind == "pair" else {}
        await self._change({**changes, f"d:{device}": None, f"s:{device}": None})

    # Sync

    async def sync(self, peer: Peer) -> bool:
        """Bring a device's copy and ours in step, both ways. True if they are.

        Raises RpcError: the link's, the device's, or one that says what is wrong with its entries.
        """
        theirs = await self._fetch(peer)
        if theirs is None:
            return True
        try:
            await self.merge(theirs)
            ahead = self._topology.ahead_of(theirs)
        except TopologyError as fault:
            raise _invalid(f"the device's topology: {fault}") from None
        digest = None
        for page in _pages(ahead):
            answer = await peer.call("topology.put", {"entries": page})
            digest = answer.get("digest") if isinstance(answer, dict) else None
        return digest == self.digest if ahead else True

    async def merge(self, entries: list[Json]) -> list[str]:
        """Take in entries of another copy; returns the keys that changed. Raises TopologyError."""
        async with self._changing:
            candidate = self._topology.copy()
            changed = cast("list[str]", candidate.merge(entries))
            await self._adopt(candidate, changed)
        return changed

    async def _fetch(self, peer: Peer) -> list[Json] | None:
        """All entries of a device's copy; None if it is the same as ours."""
        entries: list[Json] = []
        after: Json = ""
        while isinstance(after, str):
            answer = await peer.call("topology.get", {"after": after, "unless": self.digest})
            page: Json = answer.get("entries") if isinstance(answer, dict) else None
            if not isinstance(page, list):
                raise _invalid("the device's topology: no list of entries")
            if answer.get("digest") == self.digest:
                return None
            entries.extend(cast("list[Json]", page))
            after = answer.get("next") if page else None
            if len(entries) > MAX_ENTRIES:
                raise _invalid(f"the device's topology: over {MAX_ENTRIES} entries")
        return entries

    # What they rest on

    def _facts(self, device: str) -> dict[str, Any]:
        return self._topology.device(device, dict(self._present()).get(device))

    def _known(self) -> set[str]:
        return {*self._topology.devices(), *(device for device, _ in self._present())}

    def _system(self, system: str) -> System:
        for found in self.systems():
            if found.id == system:
                return found
        names = ", ".join(f"{found.id} ({found.name})" for found in self.systems())
        raise _invalid(f"no system {system!r}; there are: {names or 'none yet'}")

    def _parted(self, pair: System) -> dict[str, Value]:
        changes: dict[str, Value] = {f"s:{pair.id}": None}
        for device, _ in pair.devices:
            changes[f"d:{device}"] = {**self._facts(device), "system": device, "side": "both"}
        return changes

    def _free_name(self, name: str, of: set[str]) -> str:
        for system in self.systems():
            if system.id not in of and system.name.lower() == name.lower():
                raise _invalid(f"there is a room {system.name!r} already: choose another name")
        return name

    async def _change(self, changes: dict[str, Value]) -> None:
        async with self._changing:
            candidate = self._topology.copy()
            try:
                candidate.apply_all(list(changes.items()))
            except TopologyError as fault:
                raise _invalid(str(fault)) from None
            await self._adopt(candidate, list(changes))

    async def _adopt(self, candidate: Authority, changed: list[str]) -> None:
        if candidate.digest == self._topology.digest:
            return
        writes: dict[str, bytes | None] = {}
        before = {entry[0] for entry in self._all(self._topology)}
        after = {entry[0]: entry for entry in self._all(candidate)}
        for key in before - after.keys():
            writes[PREFIX + key] = None
        for key in changed:
            if key in after:
                writes[PREFIX + key] = json.dumps(after[key][1:]).encode()
        await _commit(self._store, writes)
        self._topology = candidate
        for callback in list(self._watchers):
            callback(changed)

    @staticmethod
    def _all(topology: Authority) -> list[Json]:
        return topology.entries("", 1 << 30)[0]


async def _commit(store: Store, writes: dict[str, bytes | None]) -> None:
    # A whole house may be over what one commit takes; entries stand alone, so parts are sound.
    keys = list(writes)
    for at in range(0, len(keys), MAX_COMMIT_CHANGES):
        await store.commit({key: writes[key] for key in keys[at : at + MAX_COMMIT_CHANGES]})


def _decoded(key: str, value: bytes) -> list[Json]:
    content = json.loads(value)
    if not isinstance(content, list):
        raise ValueError("not [counter, author, value]")
    return [key.removeprefix(PREFIX), *cast("list[Json]", content)]


def _pages(entries: list[Json]) -> Iterable[list[Json]]:
    page: list[Json] = []
    size = 0
    for entry in entries:
        size += len(json.dumps(entry)) + 2
        if page and size > PAGE_BYTES:
            yield page
            page, size = [], len(json.dumps(entry)) + 2
        page.append(entry)
    if page:
        yield page


def _invalid(text: str) -> RpcError:
    return RpcError(INVALID_PARAMS, text)
