"""The devices of the house, as updates see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from phantom.rpc import CLOSED, RpcError
from storagebox.coordinator.device import Device, DeviceInfo
from storagebox.coordinator.rooms import Rooms
from storagebox.coordinator.roster import Roster
from storagebox.streamer.link import Link
from storagebox.streamer.transfer import Patience, upload

from .candidate import Candidate

# A board loads code for what it is sent, 120 ms in which it takes no chunk, two or three times
# over (emulated; docs/hardware-checklist.md), a busy machine's for longer. A stream begins with
# 240 ms of sound there, and has this much after some three seconds.
_HELD_MS = 1000


class DeviceCandidate:
    """See `Candidate`. `device` is None for one of the topology that was never found."""

    def __init__(
        self, identity: str, device: Device | None, room: str, why_away: Callable[[str], str]
    ) -> None:
        self.id = identity
        self.room = room
        self._device = device
        self._why_away = why_away
        self._version = ""  # as last heard of

    def _value(self, name: str) -> Any:
        return self._device.properties.values.get(name) if self._device else None

    @property
    def _info(self) -> DeviceInfo | None:
        return self._device.info if self._device else None

    @property
    def _link(self) -> Link:
        if self._device is None:
            raise RpcError(CLOSED, f"{self.id} is away: {self.why_away}")
        return self._device.link

    @property
    def connected(self) -> bool:
        """It can be called."""
        return self._device is not None and self._device.ready

    @property
    def why_away(self) -> str:
        """In words."""
        return self._why_away(self.id)

    @property
    def boot(self) -> int:
        """Of the start in which it is; 0 while it is away."""
        return self._info.boot if self._info else 0

    @property
    def board(self) -> str:
        """The name of its kind."""
        return self._info.board if self._info else ""

    @property
    def arch(self) -> str:
        """What native code it runs."""
        return str(self._value("update.arch") or "")

    @property
    def version(self) -> str:
        """What it runs, or ran."""
        if self._info:
            self._version = self._info.version
        return self._version

    @property
    def slot(self) -> str:
        """Where its code is; empty if it takes no updates."""
        return str(self._value("update.slot") or "")

    @property
    def safe(self) -> bool:
        """It is in safe mode."""
        return self._value("device.info.mode") == "safe"

    @property
    def idle(self) -> bool:
        """It is here, and nothing plays there, nor is about to."""
        if self._device is None or not self._device.ready or self._device.session is not None:
            return False
        return self._value("renderer.state") in ("idle", None)

    @property
    def unhurried(self) -> bool:
        """Nobody hears it if its loop is held up for a while."""
        held_ms = self._device.window.buffer_ms if self._device else None
        return self.idle or (held_ms is not None and held_ms >= _HELD_MS)

    @property
    def update(self) -> Mapping[str, Any]:
        """Its update.state."""
        value = self._value("update.state")
        return cast("dict[str, Any]", value) if isinstance(value, dict) else {}

    @property
    def failed(self) -> list[str]:
        """Versions that did not work there."""
        value = self._value("update.failed")
        return [str(v) for v in cast("list[Any]", value)] if isinstance(value, list) else []

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Raises RpcError."""
        return await self._link.call(method, params)

    async def upload(self, data: bytes, purpose: str, patience: Patience) -> None:
        """Raises RpcError."""
        await upload(self._link, data, purpose, patience)


def candidates_of(
    rooms: Rooms, roster: Roster
) -> Callable[[Sequence[str] | None], list[Candidate]]:
    """candidates(names) gives the devices of rooms, or for None all of the topology, and those
    that were found and are in no room."""

    def candidates(names: Sequence[str] | None) -> list[Candidate]:
        chosen = list(rooms) if names is None else rooms.named(names)
        places = {identity: room.name for room in chosen for identity, _ in room.devices}
        if names is None:
            places |= {device.id: "" for device in roster if device.id not in places}
        return [
            DeviceCandidate(identity, roster.get(identity), room, roster.why_gone)
            for identity, room in places.items()
        ]

    return candidates
