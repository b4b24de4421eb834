"""What has changed, for those who watch: told once, and only what is another than before.

    {"kind": "device", "device", "state", "health", "reason", "volume", "mute"}
    {"kind": "room", "room", "name", "group", "volume", "mute", "health", "reason"}
    {"kind": "group", "group", "rooms", "session", "lead_ms", "codec"}
    {"kind": "session", "session", "state", "reason", "track"}
    {"kind": "board", "device", "address"}          waits to be adopted
    {"kind": "property", "device", "name", "value"} to those who watch that device

Values that are as before are left out; what is gone is told with `"gone": true`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

_DEVICE = ("state", "health", "reason", "volume", "mute")
_ROOM = ("name", "group", "volume", "mute", "health", "reason")
_GROUP = ("rooms", "session", "lead_ms", "codec")
_SESSION = ("state", "reason", "track")


class Subscriber(Protocol):
    """A client that wants to be told (`storagebox.control.Subscriber`)."""

    def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Tell it."""
        ...

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have `callback` called when it is gone."""
        ...


Things = dict[tuple[str, str], dict[str, Any]]


def things(status: Mapping[str, Any]) -> Things:
    """What is watched, by kind and id, from the box's status."""
    found: Things = {}
    for room in status["rooms"]:
        found["room", room["id"]] = {key: room[key] for key in _ROOM}
        for device in room["devices"]:
            seen = {key: device.get(key) for key in _DEVICE}
            if not device["connected"]:
                seen["state"] = "away"
            found["device", device["id"]] = seen
    for group in status["groups"]:
        found["group", group["id"]] = {key: group[key] for key in _GROUP}
    for session in status["sessions"]:
        found["session", session["id"]] = {key: session[key] for key in _SESSION}
    for board in status["unadopted"]:
        found["board", board["id"]] = {"address": board["address"]}
    return found


class Changes:
    """Call `look` when something may have changed; it asks for the status only if it must."""

    def __init__(self, status: Callable[[], Mapping[str, Any]]) -> None:
        self._status = status
        self._subscribers: list[tuple[Subscriber, str | None]] = []
        self._known: Things = {}

    def watch(self, subscriber: Subscriber, device: str | None) -> None:
        """Tell this client from now on, of one device or of everything."""
        if not self._subscribers:
            self._known = things(self._status())
        entry = (subscriber, device)
        self._subscribers.append(entry)
        subscriber.on_close(lambda: self._subscribers.remove(entry))

    def look(self) -> None:
        """Tell what is another than at the last look."""
        if not self._subscribers:
            return
        before, self._known = self._known, things(self._status())
        for (kind, identity), now in self._known.items():
            was = before.get((kind, identity), {})
            news = {key: value for key, value in now.items() if was.get(key) != value}
            if news or (kind, identity) not in before:
                self._tell(kind, identity, news)
        for kind, identity in before.keys() - self._known.keys():
            self._tell(kind, identity, {"gone": True})

    def property(self, device: str, name: str, value: Any) -> None:
        """A device has told a property."""
        told = {"kind": "property", "device": device, "name": name, "value": value}
        for subscriber, wanted in self._subscribers:
            if wanted == device:
                subscriber.notify("changed", told)

    def _tell(self, kind: str, identity: str, news: dict[str, Any]) -> None:
        told = {"kind": kind, "device" if kind == "board" else kind: identity, **news}
        for subscriber, wanted in self._subscribers:
            if wanted is None or (kind == "device" and wanted == identity):
                subscriber.notify("changed", told)
