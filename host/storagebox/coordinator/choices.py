"""Who was chosen in the house, by whom and why: who is asked for the time, and who sends sound.

Each device chooses by itself whom it asks, and tells whom. Why, it doesn't tell: that is worked
out here by the rule that all of them follow (`phantom.timekeeper`), from the beacons we hear.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from phantom.timekeeper import KEEPS_TIME, SERVICE
from phantom.wire import mux

from .rooms import Rooms
from .roster import Roster

TIME, SOUND = "time", "sound"

ASKED_TO_PLAY = "asked to play there"
SAID_BY_DEVICES = "asked to play there, as devices say"
SENDS_TOO = "asked to play there, as devices say; this box sends, too"
UNSYNCED = "does not know the time yet"
ALONE = "keeps time itself; asks nobody"
CARRIES_ON = "goes on by what it knew; asks nobody"
NAMED = "a box named that address"
FORMER = "kept time when it was chosen"


class Peer(Protocol):
    """What is wanted of `phantom.peer.Peer`."""

    @property
    def id(self) -> str: ...
    @property
    def role(self) -> int: ...
    @property
    def flags(self) -> int: ...
    @property
    def services(self) -> Mapping[str, int]: ...


@dataclass(frozen=True)
class Keeper:
    """One that keeps time, and says so."""

    id: str
    is_box: bool


@dataclass(frozen=True)
class Asking:
    """What one says of its house time; `server` is an id, or an address that a box named."""

    server: str | None
    synced: bool = True
    keeps: bool = False

    @classmethod
    def told(cls, properties: Mapping[str, Any]) -> Asking | None:
        """What a device's properties say; None if they say nothing of it."""
        if "clock.server" not in properties:
            return None
        server = properties["clock.server"]
        return cls(
            server if isinstance(server, str) else None,
            properties.get("clock.synced") is True,
            properties.get("clock.keeps") is True,
        )


@dataclass(frozen=True)
class Choice:
    """`who` was chosen, None is nobody, `by` these (devices, boxes, rooms)."""

    what: str
    who: str | None
    by: tuple[str, ...]
    because: str

    def as_dict(self) -> dict[str, Any]:
        """As the control socket tells it."""
        return {"for": self.what, "chosen": self.who, "by": list(self.by), "because": self.because}


def of_house(own: Asking, roster: Roster, rooms: Rooms) -> list[Choice]:
    """All choices that are known of; `own` is what this box says."""
    me = roster.wiring.membership.id
    keeping = keepers(roster.registrar.peers())
    if own.keeps:
        keeping.append(Keeper(me, is_box=True))
    ready = [device for device in roster if device.ready]
    told = {device.id: Asking.told(device.properties.values) for device in ready}
    asking = {who: asked for who, asked in told.items() if asked is not None}
    feeds = [
        (room.name, [(d.session is not None, d.fed_by) for d in rooms.devices(room) if d.ready])
        for room in rooms
    ]
    return [*of_time(keeping, {me: own, **asking}), *of_sound(me, feeds)]


def keepers(peers: Iterable[Peer]) -> list[Keeper]:
    """Those peers that may be asked."""
    return [
        Keeper(peer.id, peer.role == mux.ROLE_BOX)
        for peer in peers
        if peer.flags & KEEPS_TIME and SERVICE in peer.services
    ]


def of_time(keepers: Iterable[Keeper], asking: Mapping[str, Asking]) -> list[Choice]:
    """Who is asked for the time, by whom and why; the one that most ask comes first.

    `keepers` and `asking` include this box.
    """
    ranked = sorted(keepers, key=lambda keeper: (not keeper.is_box, keeper.id))
    found: dict[tuple[str | None, str], list[str]] = {}
    if ranked:
        found[ranked[0].id, _lowest(ranked)] = []
    for identity, told in asking.items():
        if told.server is None and ranked and identity == ranked[0].id:
            continue  # whom the others ask need ask nobody
        found.setdefault((_chosen(identity, told), _because(told, ranked)), []).append(identity)
    choices = [Choice(TIME, who, tuple(by), why) for (who, why), by in found.items()]
    return sorted(choices, key=lambda choice: -len(choice.by))


def of_sound(
    me: str, rooms: Iterable[tuple[str, Iterable[tuple[bool, str | None]]]]
) -> list[Choice]:
    """Which box sends to which rooms.

    Each room is its name and, for each of its devices, whether this box sends to it, and the box
    whose stream it says that it has open, if any.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for name, devices in rooms:
        for ours, theirs in devices:
            if theirs is not None and theirs != me:
                key = theirs, SENDS_TOO if ours else SAID_BY_DEVICES
            elif ours:
                key = me, ASKED_TO_PLAY
            else:
                continue
            by = found.setdefault(key, [])
            if name not in by:
                by.append(name)
    return [Choice(SOUND, who, tuple(by), why) for (who, why), by in sorted(found.items())]


def _chosen(identity: str, told: Asking) -> str | None:
    return identity if told.server is None and told.synced else told.server


def _because(told: Asking, ranked: Sequence[Keeper]) -> str:
    if told.server is None:
        if not told.synced:
            return UNSYNCED
        return ALONE if told.keeps else CARRIES_ON
    best = ranked[0].id if ranked else None
    if told.server == best:
        return _lowest(ranked)
    if any(keeper.id == told.server for keeper in ranked):
        return f"chosen before {best} came, or does not hear it"
    return NAMED if _is_address(told.server) else FORMER


def _lowest(ranked: Sequence[Keeper]) -> str:
    boxes = sum(keeper.is_box for keeper in ranked)
    count, noun = (boxes, "box") if boxes else (len(ranked), "device")
    if count == 1:
        return f"the only {noun} that keeps time"
    return f"lowest id of {count} {noun}{'es' if boxes else 's'} that keep time"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
