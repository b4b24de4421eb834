"""The house as programs see it: what `status` and `rooms` answer, from what everybody knows."""

from __future__ import annotations

from typing import Any

from phantom.wire import mux
from storagebox.installation import Membership
from storagebox.journal import Journal
from storagebox.streamer.house_clock import HouseTime

from .aggregation import Aggregation
from .health import Health
from .playing import Playing
from .rooms import Rooms
from .roster import Roster
from .session import ALIVE, Session
from .topology import System
from .volumes import Volumes

# Sessions that are over stay visible for whoever asks why; so many.
_PAST = 8


class Status:
    """Answers from memory; nobody is asked."""

    def __init__(
        self,
        membership: Membership,
        house: HouseTime,
        roster: Roster,
        rooms: Rooms,
        playing: Playing,
        volumes: Volumes,
        aggregation: Aggregation,
        journal: Journal,
    ) -> None:
        self._membership = membership
        self._house = house
        self._roster = roster
        self._rooms = rooms
        self._playing = playing
        self._volumes = volumes
        self._aggregation = aggregation
        self._journal = journal

    def whole(self) -> dict[str, Any]:
        """All of it."""
        membership = self._membership
        return {
            "installation": {"id": membership.installation.hex(), "name": membership.name},
            "box": membership.id,
            "house_us": self._house.now_us(),
            "generation": self._house.generation,
            "health": _health(self._aggregation.of_rooms(list(self._rooms))),
            "rooms": self.rooms(),
            "groups": self._groups(),
            "sessions": self._sessions(),
            "unadopted": self._unadopted(),
            "boxes": self._boxes(),
            "topology": {
                "version": self._rooms.keeper.version,
                "digest": self._rooms.keeper.digest,
            },
            "events": list(self._journal.latest),
        }

    def rooms(self) -> list[dict[str, Any]]:
        """The rooms and their devices."""
        return [self._room(room) for room in self._rooms]

    def _room(self, room: System) -> dict[str, Any]:
        volume, mute = self._volumes.of_room(room)
        return {
            "id": room.id,
            "name": room.name,
            "kind": room.kind,
            "volume": volume,
            "mute": mute,
            "group": self._rooms.groups.of(room.id).id,
            **_flat(self._aggregation.of_room(room)),
            "devices": [self._device(identity, side, room) for identity, side in room.devices],
        }

    def _device(self, identity: str, side: str, room: System) -> dict[str, Any]:
        device = self._roster.get(identity)
        facts = self._rooms.keeper.device(identity)
        said: dict[str, Any] = {"id": identity, "address": None, "connected": False}
        session = self._playing.session_of(room.id)
        if device is not None:
            said = device.status()
            if session is not None:
                said |= session.feeding.counts(device)
                said["pick"] = session.feeding.pick_of(device)
        return {
            "sent_chunks": 0,
            "skipped_chunks": 0,
            "pick": None,
            **said,
            "name": facts.name if facts.name != identity else said.get("name", identity),
            "side": side,
            "trim_us": facts.trim_us,
            **_flat(self._aggregation.of_device(identity)),
        }

    def _groups(self) -> list[dict[str, Any]]:
        return [self._group(group.id, group.rooms) for group in self._rooms.groups.all]

    def _group(self, identity: str, members: tuple[str, ...]) -> dict[str, Any]:
        rooms = [room for room in self._rooms if room.id in members]
        volume, mute = self._volumes.of_rooms(rooms)
        session = self._playing.sessions.get(identity)
        terms = session.terms if session is not None and session.state in ALIVE else None
        return {
            "id": identity,
            "rooms": list(members),
            "session": session.name if session else None,
            "volume": volume,
            "mute": mute,
            **_flat(self._aggregation.of_rooms(rooms)),
            "lead_ms": terms.lead_ms if terms else None,
            "codec": terms.codec if terms else None,
        }

    def _sessions(self) -> list[dict[str, Any]]:
        pairs = list(self._playing.sessions.items())
        over = [s for _, s in pairs if s.state not in ALIVE][:-_PAST]
        return [self._session(group, s) for group, s in pairs if s not in over]

    def _session(self, group: str, session: Session) -> dict[str, Any]:
        terms = self._aggregation.terms_reason(session)
        return {**session.status(), "group": group, "terms_reason": terms}

    def _unadopted(self) -> list[dict[str, Any]]:
        return [
            {"id": peer.id, "name": peer.name, "address": (peer.addresses or [None])[0]}
            for peer in self._roster.registrar.unadopted()
        ]

    def _boxes(self) -> list[dict[str, Any]]:
        own: list[dict[str, Any]] = [{"id": self._membership.id, "self": True}]
        return own + [
            {"id": peer.id, "name": peer.name, "address": (peer.addresses or [None])[0]}
            for peer in self._roster.registrar.peers()
            if peer.role == mux.ROLE_BOX
        ]


def _health(health: Health) -> dict[str, str]:
    return {"level": health.level, "reason": health.reason}


def _flat(health: Health) -> dict[str, str]:
    return {"health": health.level, "reason": health.reason}
