"""The devices of the house, as updates see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from storagebox.coordinator.device import Device
from storagebox.coordinator.rooms import Rooms
from storagebox.coordinator.roster import Roster
from storagebox.streamer.transfer import Patience, upload

from .house import Candidate


class DeviceCandidate:
    """See `house.Candidate` and `board.Host`."""

    def __init__(self, device: Device, room: str, why_away: Callable[[str], str]) -> None:
        self._device = device
        self.id = device.id
        self.room = room
        self._why_away = why_away
        self._version = ""  # as last heard of

    def _value(self, name: str) -> Any:
        return self._device.properties.values.get(name)

    @property
    def connected(self) -> bool:
        """It can be called."""
        return self._device.ready

    @property
    def boot(self) -> int:
        """Of the start in which it is; 0 while it is away."""
        return self._device.info.boot if self._device.info else 0

    @property
    def board(self) -> str:
        """The name of what it is."""
        return self._device.info.board if self._device.info else ""

    @property
    def version(self) -> str:
        """What it runs, or ran."""
        if self._device.info:
            self._version = self._device.info.version
        return self._version

    @property
    def arch(self) -> str:
        """What native code it runs."""
        return str(self._value("update.arch") or "")

    @property
    def slot(self) -> str:
        """Where its code is; empty if it can't be updated."""
        return str(self._value("update.slot") or "")

    @property
    def safe(self) -> bool:
        """It is in safe mode."""
        return self.slot == "safe"

    @property
    def idle(self) -> bool:
        """Nothing plays there, nor is about to."""
        state = self._value("renderer.state")
        return self.connected and self._device.session is None and state in ("idle", None)

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

    @property
    def why_away(self) -> str:
        """In words."""
        return self._why_away(self.id)

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Raises RpcError."""
        return await self._device.link.call(method, params)

    async def upload(self, data: bytes, purpose: str, patience: Patience) -> None:
        """Raises RpcError."""
        await upload(self._device.link, data, purpose, patience)


def candidates_of(
    rooms: Rooms, roster: Roster
) -> Callable[[Sequence[str] | None], list[Candidate]]:
    """candidates(names) gives the devices of rooms, or all that were ever found, for None."""

    def candidates(names: Sequence[str] | None) -> list[Candidate]:
        if names is None:
            devices = list(roster)
        else:
            found = {d.id: d for room in rooms.named(names) for d in rooms.devices(room)}
            devices = list(found.values())
        return [_candidate(device) for device in devices]

    def _candidate(device: Device) -> Candidate:
        place = rooms.of_device(device.id)
        return DeviceCandidate(device, place[0].name if place else "", roster.why_gone)

    return candidates
