"""The house as buttons and lights see it: the box's status, kept in step by its changes.

Both are those of the control socket (docs/cli.md, `status` and `watch`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Levels of health that people hear; `fair` is none yet.
_HEARD = ("poor", "silent", "gone")
_KINDS = {"room": "rooms", "group": "groups", "session": "sessions", "board": "unadopted"}
_PLAYING = ("starting", "playing")


class House:
    """Rooms, groups, sessions and boards that wait, by id."""

    def __init__(self) -> None:
        self.version = 0
        """Counts what has been heard."""
        self._things: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in _KINDS}

    def begin(self, status: Mapping[str, Any]) -> None:
        """Take the whole status."""
        self.version += 1
        for kind, many in _KINDS.items():
            self._things[kind] = {each["id"]: dict(each) for each in status[many]}

    def told(self, change: Mapping[str, Any]) -> None:
        """Take one change."""
        kind = change.get("kind")
        if kind not in _KINDS:
            return
        self.version += 1
        identity = change["device" if kind == "board" else kind]
        if change.get("gone"):
            self._things[kind].pop(identity, None)
            return
        self._things[kind].setdefault(identity, {"id": identity}).update(change)

    @property
    def trouble(self) -> bool:
        """Some room is heard badly, or not at all."""
        return any(room.get("health") in _HEARD for room in self._things["room"].values())

    @property
    def waiting(self) -> list[str]:
        """Boards that wait to be adopted."""
        return sorted(self._things["board"])

    def music(self, names: Sequence[str] | None) -> str:
        """What these rooms do: "playing" if one does, else "paused" if one is, else "idle"."""
        states = [self._state(group) for group in self.groups(names)]
        if any(state in _PLAYING for state in states):
            return "playing"
        return "paused" if "paused" in states else "idle"

    def muted(self, names: Sequence[str] | None) -> bool:
        """All these rooms are muted."""
        rooms = self._rooms(names)
        return bool(rooms) and all(room.get("mute") for room in rooms)

    def groups(self, names: Sequence[str] | None) -> list[str]:
        """The groups that these rooms are in, by id."""
        return list(dict.fromkeys(room["group"] for room in self._rooms(names) if "group" in room))

    def _state(self, group: str) -> str | None:
        session = self._things["group"].get(group, {}).get("session")
        return self._things["session"].get(session or "", {}).get("state")

    def _rooms(self, names: Sequence[str] | None) -> list[dict[str, Any]]:
        rooms = list(self._things["room"].values())
        return rooms if names is None else [room for name in names for room in _named(rooms, name)]


def _named(rooms: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """As the box finds a room: by its id, its name or the start of it, in any case."""
    wanted = name.casefold()
    exact = [room for room in rooms if room["id"] == name] or [
        room for room in rooms if str(room.get("name", "")).casefold() == wanted
    ]
    some = exact or [r for r in rooms if str(r.get("name", "")).casefold().startswith(wanted)]
    return some if len(some) == 1 else []
