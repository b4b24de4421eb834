"""What a press asks of the box: the methods of its control socket, as `phantom` itself asks them.

    play         short: pause what plays, else go on, else play the box's music; long: stop
    volume-up    a step, and more while it is held; volume-down likewise
    pair         short: chime, to tell which room is which; long: two rooms become a pair, or part

`pair` never adopts a board. Who holds the key of the house may play in it, and a press on the box
proves nothing about which of the boards in the air is the one in your hand: docs/pins.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from phantom.rpc import REFUSED, RpcError

from .house import House
from .wiring import Wiring

Call = Callable[..., Awaitable[Any]]
"""call(method, **params), of the box. Raises RpcError."""

# A button that jams must not become loud: one press raises by no more than this, of 100.
MAX_RISE = 30


class Orders:
    """Asks by `call`; one order of each kind at a time. All raise RpcError."""

    def __init__(self, wiring: Wiring, house: House, call: Call) -> None:
        self._wiring = wiring
        self._house = house
        self._call = call
        self._rooms = list(wiring.rooms) if wiring.rooms else None
        self._delta = 0  # asked for while a change of volume was underway
        self._changing = False

    async def play_or_pause(self) -> str:
        """Returns what was done."""
        if await self._ask("pause"):
            return "pause"
        if await self._ask("resume"):
            return "resume"
        await self._ask("play")
        return "play"

    async def stop(self) -> str:
        """Returns what was done."""
        await self._ask("stop")
        return "stop"

    async def louder(self, delta: int) -> str:
        """Change the volume; presses that come before the box has answered are added up."""
        self._delta += delta
        if self._changing:
            return "volume"
        self._changing = True
        try:
            if delta > 0 and self._house.muted(self._rooms):
                await self._ask("mute", on=False)
            while self._delta:
                asked, self._delta = self._delta, 0
                await self._call("volume", **self._where(self._loud_rooms()), delta=asked)
        finally:
            self._delta, self._changing = 0, False
        return "volume"

    async def chime(self) -> str:
        """Returns what was done."""
        await self._ask("identify")
        return "identify"

    async def pair_or_part(self) -> str:
        """Make a stereo pair of two rooms, or two rooms of that pair; returns what was done."""
        rooms = await self._call("rooms")
        left, right = self._halves(rooms)
        for room in rooms:
            halves = [device["id"] for device in room["devices"]]
            if room["kind"] == "pair" and left in halves and right in halves:
                await self._call("unpair", room=room["id"])
                return "unpair"
        await self._call("pair", left=left, right=right)
        return "pair"

    def _halves(self, rooms: Sequence[dict[str, Any]]) -> tuple[str, str]:
        """The two devices meant, by id, left first."""
        if self._wiring.pair:
            return self._device(rooms, self._wiring.pair[0]), self._device(
                rooms, self._wiring.pair[1]
            )
        devices = [device["id"] for room in rooms for device in room["devices"]]
        if len(devices) != 2:
            raise RpcError(
                REFUSED,
                f"pair: the house has {len(devices)} devices: say which two by "
                'pair = ["left", "right"] in the file of pins',
            )
        both = rooms[0]["devices"] if len(rooms) == 1 else []
        if len(both) == 2:
            left, right = sorted(both, key=lambda device: device["side"] != "left")
            return left["id"], right["id"]
        first, second = sorted(devices)
        return first, second

    def _device(self, rooms: Sequence[dict[str, Any]], name: str) -> str:
        """A device by its id, its name or that of the room that it is alone."""
        for room in rooms:
            for device in room["devices"]:
                alone = room["name"] if len(room["devices"]) == 1 else None
                if name.casefold() in (
                    str(each).casefold() for each in (device["id"], device.get("name"), alone)
                ):
                    return device["id"]
        known = ", ".join(device["id"] for room in rooms for device in room["devices"])
        raise RpcError(REFUSED, f"pair: no device {name!r}; there are {known or 'none yet'}")

    def _loud_rooms(self) -> list[str] | None:
        """Rooms whose volume is meant: these, or all that play together with them."""
        if self._rooms is None or not self._wiring.whole_group:
            return self._rooms
        return self._house.groups(self._rooms) or self._rooms

    async def _ask(self, method: str, **params: Any) -> Any:
        return await self._call(method, **self._where(self._rooms), **params)

    def _where(self, rooms: list[str] | None) -> dict[str, Any]:
        return {} if rooms is None else {"rooms": rooms}
