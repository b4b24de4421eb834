"""The rooms of the house: what the topology says, with the devices that stand for it.

People name a room by its name, or the start of it, in any case; programs by its system's id. A
group's id stands for all its rooms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from phantom.rpc import INVALID_PARAMS, RpcError

from .device import Device
from .groups import Groups
from .roster import Roster
from .topology import System, TopologyKeeper


def invalid(text: str) -> RpcError:
    """What a person asked for can't be."""
    return RpcError(INVALID_PARAMS, text)


class Rooms:
    """Systems and groups by whatever people call them."""

    def __init__(
        self, keeper: TopologyKeeper, roster: Roster, boot: int, on_change: Callable[[], None]
    ) -> None:
        self.groups = Groups(f"g{boot}.")
        self.keeper = keeper
        self._roster = roster
        self._systems: dict[str, System] = {}
        self._of_device: dict[str, tuple[System, str]] = {}  # and its side
        self._on_change = on_change

    def refresh(self) -> None:
        """The topology has changed, or a device was found."""
        systems = {system.id: system for system in self.keeper.systems()}
        if systems == self._systems:
            return
        self._systems = systems
        self._of_device = {
            device: (system, side)
            for system in systems.values()
            for device, side in system.devices
        }
        self.groups.update({s.id: [device for device, _ in s.devices] for s in systems.values()})
        self._on_change()

    def __iter__(self) -> Iterator[System]:
        return iter(list(self._systems.values()))

    def of_device(self, identity: str) -> tuple[System, str] | None:
        """A device's system, and its side in it."""
        return self._of_device.get(identity)

    def devices(self, system: System) -> list[Device]:
        """Those of a system's devices that were ever found."""
        found = [self._roster.get(identity) for identity, _ in system.devices]
        return [device for device in found if device is not None]

    def other_half(self, system: System, identity: str) -> Device | None:
        """A pair's other device, if it was ever found."""
        others = [other for other, _ in system.devices if other != identity]
        return self._roster.get(others[0]) if others else None

    # What people call them

    def named(self, names: Sequence[str] | None) -> list[System]:
        """Rooms by name, system id or group id, in that order; all of them for None."""
        if names is None:
            if not self._systems:
                raise invalid("there are no rooms yet: switch a device on, or adopt one")
            return list(self._systems.values())
        if not isinstance(names, list) or not names:
            raise invalid("rooms must be a list of names, with at least one")
        found: dict[str, System] = {}
        name: Any
        for name in names:
            group = self.groups.get(name) if isinstance(name, str) else None
            if group is not None:
                found |= {room: self._systems[room] for room in group.rooms}
            else:
                room = self.one(name)
                found[room.id] = room
        return list(found.values())

    def one(self, name: object) -> System:
        """The room of this name or id."""
        if not isinstance(name, str) or not name:
            raise invalid(f"a room's name must be a text, not {name!r}")
        if name in self._systems:
            return self._systems[name]
        wanted = name.casefold()
        rooms = list(self._systems.values())
        exact = [room for room in rooms if room.name.casefold() == wanted]
        some = exact or [room for room in rooms if room.name.casefold().startswith(wanted)]
        if len(some) == 1:
            return some[0]
        known = ", ".join(sorted(room.name for room in some or rooms)) or "none yet"
        if some:
            raise invalid(f"{name!r} could be {known}: give more of it")
        raise invalid(f"no room {name!r}; there are {known}")

    def device(self, identity: object) -> Device:
        """The device of this id, or the start of it; or the one of a solo room of this name."""
        if not isinstance(identity, str) or not identity:
            raise invalid(f"a device's id must be a text, not {identity!r}")
        exact = self._roster.get(identity)
        if exact is not None:
            return exact
        wanted = identity.casefold()
        some = [d for d in self._roster if d.id.casefold().startswith(wanted)]
        if not some:
            rooms = [s for s in self._systems.values() if s.name.casefold() == wanted]
            some = [d for room in rooms if room.kind == "solo" for d in self.devices(room)]
        if len(some) == 1:
            return some[0]
        known = ", ".join(sorted(device.id for device in some or self._roster)) or "none yet"
        if some:
            raise invalid(f"{identity!r} could be {known}: give more of it")
        raise invalid(f"no device {identity!r}; there are {known}")
