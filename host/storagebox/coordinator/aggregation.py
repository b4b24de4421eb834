"""Acts on what devices report: lead and codec, devices that don't keep up, halves of pairs.

The decisions are pure and elsewhere (`terms`, `keeping_up`, `halves`); this feeds them and carries
them out.
"""

from __future__ import annotations

import asyncio
from typing import Any

from phantom.rpc import RpcError
from storagebox.journal import Journal

from . import faults
from .device import Device
from .halves import Half
from .health import GONE, POOR, SILENT, Health, of_device, of_group, of_room
from .notes import Notes
from .playing import Playing
from .rooms import Rooms
from .roster import Roster
from .session import Session
from .terms import LADDER
from .topology import System

# As often as reports come.
LOOK_EVERY_S = 0.5
# A memo that is a quarter of a second old is as good as new: it tells of places, not of times.
REMEMBER_EVERY_S = 0.25


class Aggregation:
    """Call `tick` twenty times a second."""

    def __init__(
        self, playing: Playing, notes: Notes, rooms: Rooms, roster: Roster, journal: Journal
    ) -> None:
        self._playing = playing
        self._notes = notes
        self._rooms = rooms
        self._roster = roster
        self._journal = journal
        self._looked_s = 0.0
        self._remembered_s = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()

    def tick(self, now_s: float) -> None:
        """Do what is due."""
        changed = self._look_at_halves(now_s)
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now_s
            changed = self._judge(now_s) or changed
            self._set_terms(now_s)
        if changed:
            self._playing.reconcile(now_s)
        if now_s - self._remembered_s >= REMEMBER_EVERY_S:
            self._remembered_s = now_s
            self._playing.remember()
            self._notes.tick()

    # Halves of pairs

    def _look_at_halves(self, now_s: float) -> bool:
        changed = False
        for room in self._rooms:
            if room.kind == "pair":
                session = self._playing.session_of(room.id)
                plays = session is not None and session.state == "playing"
                for device in self._rooms.devices(room):
                    if plays:
                        changed = self._look_at_half(room, device, now_s) or changed
                    elif device.half.lost:
                        device.half = Half()
        return changed

    def _look_at_half(self, room: System, device: Device, now_s: float) -> bool:
        away = device.keeping_up.verdict.dropped or not device.ready
        quiet_s = None if away else device.quiet_s(now_s)
        if not device.half.look(quiet_s=quiet_s, now_s=now_s):
            return False
        event = "half.lost" if device.half.lost else "half.back"
        self._journal.emit(event, device=device.id, room=room.name)
        return True

    # Those that don't keep up

    def _judge(self, now_s: float) -> bool:
        changed = False
        for device in self._roster:
            policy = self._playing.policies.get(device.session) if device.session else None
            strongest = policy is None or policy.step == len(LADDER) - 1
            judge = device.keeping_up
            if not judge.look(device.window, strongest=strongest, now_s=now_s):
                continue
            changed = True
            verdict = judge.verdict
            if verdict.dropped:
                self._journal.emit("device.dropped", device=device.id, reason=verdict.reason)
            else:
                device.forgive()
                self._journal.emit("device.readmitted", device=device.id)
        for device in self._roster:
            if device.ready and device.keeping_up.may_restart(now_s):
                self._restart(device)
        return changed

    def _restart(self, device: Device) -> None:
        self._journal.emit("device.restarting", device=device.id, reason="plays nothing")
        task = asyncio.ensure_future(_ask_to_restart(device))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Lead and codec

    def _set_terms(self, now_s: float) -> None:
        for group, session in self._playing.alive():
            policy = self._playing.policies.get(session)
            if policy is None or session.state != "playing":
                continue
            devices = session.feeding.devices
            if policy.decide([device.window for device in devices], now_s):
                for device in devices:
                    device.forgive()
                terms = policy.terms
                self._journal.emit(
                    "group.terms",
                    group=group.id,
                    lead_ms=terms.lead_ms,
                    codec=terms.codec,
                    reason=policy.reason,
                )
                session.set_terms(terms)

    # Health

    def of_device(self, identity: str) -> Health:
        """How a device is."""
        device = self._roster.get(identity)
        said = faults.health_of(identity, device.flags) if device is not None else None
        if device is None or not device.ready:
            here = device is not None and self._roster.listed(identity)
            if here and said is not None and said.level == SILENT:
                return said  # it may be out of reach, but it tells why
            return Health(GONE, self._roster.why_gone(identity))
        verdict = device.keeping_up.verdict
        decided = None
        if device.half.lost:
            decided = Health(GONE, "no sign of life")
        if verdict.dropped:
            decided = Health(SILENT if verdict.silent else POOR, verdict.reason)
        found = of_device(device.window, connected=True, verdict=decided)
        return found if said is None or said.rank < found.rank else said

    def of_room(self, room: System) -> Health:
        """How a room is."""
        return of_room([(side, self.of_device(identity)) for identity, side in room.devices])

    def of_rooms(self, rooms: list[System]) -> Health:
        """How a group is, or the house."""
        return of_group([(room.name, self.of_room(room)) for room in rooms])

    def terms_reason(self, session: Session) -> str:
        """Why a session's lead and codec are what they are."""
        policy = self._playing.policies.get(session)
        return policy.reason if policy else "as ordered"


async def _ask_to_restart(device: Device) -> None:
    try:
        await device.link.call("device.restart", {})
    except RpcError:
        return  # it has gone before it could answer, which is what was asked of it
