"""The rooms file: which devices there are and which rooms they form, until discovery tells.

    {"installation": "demo",
     "rooms": [
       {"name": "Kitchen",
        "devices": [{"id": "kitchen", "address": "192.168.1.20", "pick": "both"}]},
       {"name": "Living room",
        "devices": [{"id": "living-left", "address": "192.168.1.21", "pick": "left"},
                    {"id": "living-right", "address": "192.168.1.22", "pick": "right"}]}]}

`port` (4770) and `pick` (both) may be left out; pick is one of both, left, right, mono.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from phantom.wire import LINK_PORT, audio, mux


class RoomsError(Exception):
    """The rooms file can't be used; the message names the file, the place in it and the fault."""


@dataclass(frozen=True)
class DeviceEntry:
    """A device as the file has it."""

    id: str
    address: str
    port: int = LINK_PORT
    pick: str = audio.BOTH


@dataclass(frozen=True)
class Room:
    """Devices that always share playback and volume."""

    name: str
    devices: tuple[DeviceEntry, ...]


@dataclass(frozen=True)
class Installation:
    """The rooms of a home."""

    name: str
    rooms: tuple[Room, ...]

    @property
    def devices(self) -> Iterator[tuple[Room, DeviceEntry]]:
        """All devices with their rooms, in the file's order."""
        return ((room, device) for room in self.rooms for device in room.devices)


def load(path: Path) -> Installation:
    """Read a rooms file. Raises RoomsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as fault:
        raise RoomsError(f"{path}: {fault.strerror}: give a rooms file by --rooms") from None
    except UnicodeDecodeError:
        raise RoomsError(f"{path}: not UTF-8 text") from None
    try:
        body = json.loads(text)
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise RoomsError(f"{path}: {where}: {fault.msg}") from None
    except RecursionError:
        raise RoomsError(f"{path}: nested far too deep to be a rooms file") from None
    try:
        return parse(body)
    except RoomsError as fault:
        raise RoomsError(f"{path}: {fault}") from None


def parse(body: Any) -> Installation:
    """An installation from a rooms file's JSON. Raises RoomsError naming the field."""
    top = _object(body, "the file", {"installation", "rooms"})
    name = _text(top, "installation", "the file") if "installation" in top else "home"
    rooms: list[Room] = []
    for number, item in enumerate(_list(top, "rooms", "the file")):
        where = f"rooms[{number}]"
        fields = _object(item, where, {"name", "devices"})
        devices = tuple(
            _device(device, f"{where}.devices[{index}]")
            for index, device in enumerate(_list(fields, "devices", where))
        )
        rooms.append(Room(_text(fields, "name", where), devices))
    installation = Installation(name, tuple(rooms))
    _unique([room.name for room in rooms], "room name")
    _unique([device.id for _, device in installation.devices], "device id")
    _unique([f"{d.address}:{d.port}" for _, d in installation.devices], "address and port")
    return installation


def _device(item: Any, where: str) -> DeviceEntry:
    fields = _object(item, where, {"id", "address", "port", "pick"})
    identity = _text(fields, "id", where)
    if len(identity.encode()) > mux.MAX_ID_BYTES:
        raise RoomsError(f"{where}.id: {identity!r} is over {mux.MAX_ID_BYTES} bytes")
    address = _text(fields, "address", where)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise RoomsError(
            f"{where}.address: {address!r} is not an IP address such as 192.168.1.20"
        ) from None
    port = fields.get("port", LINK_PORT)
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise RoomsError(f"{where}.port: {port!r} is not a port, 1 to 65535")
    pick = fields.get("pick", audio.BOTH)
    if pick not in audio.PICKS:
        raise RoomsError(f"{where}.pick: {pick!r} is none of {', '.join(audio.PICKS)}")
    return DeviceEntry(identity, address, port, pick)


def _object(item: Any, where: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise RoomsError(f"{where}: must be an object, is {type(item).__name__}")
    fields = cast("dict[str, Any]", item)
    for key in fields:
        if key not in known:
            raise RoomsError(f"{where}.{key}: no such field; there are {', '.join(sorted(known))}")
    return fields


def _list(fields: dict[str, Any], key: str, where: str) -> list[Any]:
    items = fields.get(key)
    if not isinstance(items, list) or not items:
        raise RoomsError(f"{where}: {key!r} must be a list with at least one entry")
    return cast("list[Any]", items)


def _text(fields: dict[str, Any], key: str, where: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        raise RoomsError(f"{where}: {key!r} must be a text that is not empty")
    return value


def _unique(values: list[str], what: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise RoomsError(f"{what} {value!r} is used twice")
        seen.add(value)
