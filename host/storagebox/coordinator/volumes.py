"""Volume and mute of devices, rooms and whatever set of rooms a person names.

The devices have them; the box asks and tells. One that is away is told when it comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from phantom.rpc import RpcError

from . import levels
from .device import Device
from .rooms import Rooms, invalid
from .topology import System

# What a device has that was never heard of.
_UNKNOWN = levels.FULL


class Volumes:
    """The commands `volume` and `mute`."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    async def volume(
        self,
        rooms: Sequence[str] | None = None,
        value: Any = None,
        delta: Any = None,
        device: str | None = None,
    ) -> dict[str, Any]:
        """Set the volume of rooms as a whole, or of one device: to `value`, or by `delta`.

        0 to 100; the rule is that of `levels`. Returns what it is then: {"volume", "rooms"}, or
        {"volume", "device"}. With neither, only tells.
        """
        if value is not None and delta is not None:
            raise invalid("volume takes a value or a delta, not both")
        for name, number in (("value", value), ("delta", delta)):
            if number is not None and (
                isinstance(number, bool) or not isinstance(number, int | float)
            ):
                raise invalid(f"{name} {number!r} is not a number")
        if value is not None and not 0 <= value <= levels.FULL:
            raise invalid(f"value {value!r} is not within 0 to 100")
        if device is not None:
            if rooms is not None:
                raise invalid("volume takes rooms or a device, not both")
            return await self._of_device(self._rooms.device(device), value, delta)
        named = self._heard(self._rooms.named(rooms))
        tree = [[_level(device) for device in self._rooms.devices(room)] for room in named]
        if tree and (value is not None or delta is not None):
            target = value if value is not None else levels.tree_mean(tree) + (delta or 0)
            tree = levels.set_tree(tree, target)
            await self._tell(named, tree)
        return {
            "volume": round(levels.tree_mean(tree), 2) if tree else None,
            "rooms": {
                room.id: round(levels.mean(parts), 2)
                for room, parts in zip(named, tree, strict=True)
            },
        }

    async def mute(
        self, on: Any, rooms: Sequence[str] | None = None, device: str | None = None
    ) -> dict[str, Any]:
        """Mute rooms or one device, or let them be heard again. Volumes stay as they are."""
        if not isinstance(on, bool):
            raise invalid(f"on {on!r} is neither true nor false")
        if device is not None:
            if rooms is not None:
                raise invalid("mute takes rooms or a device, not both")
            one = self._rooms.device(device)
            await one.set_level(mute=on)
            return {"mute": on, "device": one.id}
        named = self._heard(self._rooms.named(rooms))
        devices = [device for room in named for device in self._rooms.devices(room)]
        await _all(device.set_level(mute=on) for device in devices)
        return {"mute": on, "rooms": {room.id: on for room in named}}

    # For status

    def of_room(self, room: System) -> tuple[float | None, bool]:
        """A room's volume, None if nobody knows, and whether it is muted."""
        devices = self._rooms.devices(room)
        if not devices or all(device.volume is None for device in devices):
            return None, False
        volume = levels.mean([_level(device) for device in devices])
        return round(volume, 2), levels.muted(device.mute for device in devices)

    def of_rooms(self, rooms: Sequence[System]) -> tuple[float | None, bool]:
        """The same of several."""
        known = [(v, m) for v, m in (self.of_room(room) for room in rooms) if v is not None]
        if not known:
            return None, False
        return round(levels.mean([v for v, _ in known]), 2), levels.muted(m for _, m in known)

    # What they rest on

    async def _of_device(
        self, device: Device, value: float | None, delta: float | None
    ) -> dict[str, Any]:
        volume = _level(device)
        if value is not None or delta is not None:
            volume = min(
                max(volume + delta if delta is not None else value or 0.0, 0), levels.FULL
            )
            await device.set_level(volume=volume)
        return {"volume": round(volume, 2), "device": device.id}

    def _heard(self, rooms: list[System]) -> list[System]:
        """Those that have a device to set."""
        return [room for room in rooms if self._rooms.devices(room)]

    async def _tell(self, rooms: list[System], tree: list[list[float]]) -> None:
        changes: list[Coroutine[Any, Any, None]] = []
        for room, parts in zip(rooms, tree, strict=True):
            for device, volume in zip(self._rooms.devices(room), parts, strict=True):
                if device.volume is None or levels.to_steps(device.volume) != levels.to_steps(
                    volume
                ):
                    changes.append(device.set_level(volume=volume))
        await _all(changes)


async def _all(changes: Any) -> None:
    """One that has just gone away must not keep the others from theirs."""
    await asyncio.gather(*(_quietly(change) for change in changes))


async def _quietly(change: Coroutine[Any, Any, None]) -> None:
    try:
        await change
    except RpcError:
        return  # it is told when it comes back


def _level(device: Device) -> float:
    return _UNKNOWN if device.volume is None else device.volume
