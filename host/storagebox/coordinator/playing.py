"""Who plays what: sessions of groups, and the devices that they are sent to.

All changes go one way. Whatever happens (a command, a device that comes or goes, a verdict, a
pair that is parted) changes what *should* be; `reconcile` then compares that, device by device,
with what is, and touches only those that differ. So nobody is disturbed by what happens elsewhere.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, cast

from phantom.rpc import REFUSED, RpcError
from phantom.wire import audio
from storagebox.installation import Membership
from storagebox.journal import Journal
from storagebox.sources.pool import SourcePool
from storagebox.sources.source import SourceError
from storagebox.streamer.house_clock import HouseTime

from . import halves
from .device import Device
from .groups import Group
from .memo import IDLE, PAUSED, Memo
from .rooms import Rooms, invalid
from .roster import Roster
from .session import ALIVE, MAX_LEAD_MS, MIN_LEAD_MS, NoSoundError, Session
from .terms import Terms, TermsPolicy
from .topology import System

LEFT = "left the group"


class Playing:
    """The commands `play`, `pause`, `resume`, `stop`, `group` and `ungroup`."""

    def __init__(
        self,
        rooms: Rooms,
        roster: Roster,
        pool: SourcePool,
        house: HouseTime,
        journal: Journal,
        rng: random.Random,
        membership: Membership,
        music: Path | None,
    ) -> None:
        self.rooms = rooms
        self.sessions: dict[str, Session] = {}  # of each group, the latest
        self.policies: dict[Session, TermsPolicy] = {}  # unless a person has chosen its terms
        self.active = asyncio.Event()  # some session wants to be pumped
        self.changed = asyncio.Event()  # replaced at each change
        self._roster = roster
        self._pool = pool
        self._house = house
        self._journal = journal
        self._number = rng.randrange(1, 65536)
        self._box = membership.id
        self._boot = membership.boot
        self._music = music
        self._tasks: set[asyncio.Task[Any]] = set()
        self._names: set[str] = set()  # of all sessions in this life of the box

    # Commands

    async def play(
        self,
        paths: Sequence[str] | None = None,
        rooms: Sequence[str] | None = None,
        lead_ms: int | None = None,
        codec: str | None = None,
        pcm_dump: str | None = None,
    ) -> dict[str, Any]:
        """Play files and folders, in order and without gaps, in all rooms or those named.

        The rooms become a group of their own, which leaves what it played; others play on. Returns
        the session, its group, its stream number, the house time of its first frame and that of
        the command. `lead_ms` and `codec`, where given, hold; otherwise they follow the network.
        """
        command_us = self._house.now_us()
        items = self._checked_paths(paths)
        named = self.rooms.named(rooms)
        policy, terms = self._terms(named, lead_ms, codec)
        dump = Path(pcm_dump) if pcm_dump else None
        if dump is not None:
            _check_dump(dump)
        group = self.rooms.groups.gather([room.id for room in named])
        self._end(group.id)
        self.reconcile()  # those that came from elsewhere have left there
        session = self._new(self._next_name(), items, terms, policy, dump)
        self.sessions[group.id] = session
        await self._begin(session, session.start(self.next_number()))
        assert session.stream is not None
        return {
            "session": session.name,
            "group": group.id,
            "stream": session.number,
            "start_us": session.stream.start_us,
            "command_us": command_us,
        }

    async def pause(self, rooms: Sequence[str] | None = None) -> bool:
        """Hold the music of these rooms' groups. True if something played."""
        playing = [s for s in self._of(rooms) if s.state == "playing"]
        for session in playing:
            try:
                await session.pause()
            except SourceError as fault:
                session.fail(str(fault))
        return bool(playing)

    async def resume(self, rooms: Sequence[str] | None = None) -> bool:
        """Go on where the music of these rooms' groups was held. True if some was."""
        paused = [s for s in self._of(rooms) if s.state == "paused"]
        for session in paused:
            await self._begin(session, session.resume(self.next_number()))
        return bool(paused)

    async def stop(self, rooms: Sequence[str] | None = None) -> bool:
        """Fade out what these rooms' groups play. True if something did."""
        alive = [s for s in self._of(rooms) if s.state in ALIVE]
        for session in alive:
            session.stop()
        return bool(alive)

    async def group(self, rooms: Sequence[str]) -> dict[str, Any]:
        """The other rooms join the first one's group, and hear what it plays."""
        named = self.rooms.named(rooms)
        group = self.rooms.groups.join(named[0].id, [room.id for room in named[1:]])
        self.reconcile()
        return {"group": group.id, "rooms": list(group.rooms)}

    async def ungroup(self, rooms: Sequence[str]) -> bool:
        """Each of these rooms is alone from now on, and silent; the others play on."""
        for room in self.rooms.named(rooms):
            if len(self.rooms.groups.of(room.id).rooms) > 1:
                self.rooms.groups.leave([room.id])
            else:
                self._end(self.rooms.groups.of(room.id).id)
        self.reconcile()
        return True

    def next_number(self) -> int:
        """A number for a stream, other than all lately."""
        self._number = self._number % 65535 + 1
        return self._number

    def house_us(self) -> int:
        """House time now."""
        return self._house.now_us()

    # What should be, and what is

    def session_of(self, room: str) -> Session | None:
        """The session of a room's group, the latest if it is over."""
        return self.sessions.get(self.rooms.groups.of(room).id)

    def knew(self, session: str) -> bool:
        """Whether this box itself has had a session of this name."""
        return session in self._names

    def alive(self) -> list[tuple[Group, Session]]:
        """Groups with a session that isn't over."""
        pairs = [(self.rooms.groups.get(group), s) for group, s in self.sessions.items()]
        return [(group, s) for group, s in pairs if group is not None and s.state in ALIVE]

    def wanted(self, device: Device) -> tuple[Session, str, str] | None:
        """What a device should be sent: the session, its pick, and its system."""
        place = self.rooms.of_device(device.id)
        if place is None or not device.ready or device.keeping_up.verdict.dropped:
            return None
        room, side = place
        session = self.session_of(room.id)
        if session is None or session.state != "playing":
            return None
        assert device.info is not None
        other = self.rooms.other_half(room, device.id)
        other_lost = room.kind == "pair" and (other is None or other.half.lost)
        channels = device.info.dac_channels
        pick = halves.pick_of(side, dac_channels=channels, other_lost=other_lost)
        return session, pick, room.id

    def reconcile(self, now_s: float | None = None) -> None:
        """Make what is into what should be."""
        now_s = asyncio.get_running_loop().time() if now_s is None else now_s
        left = [group for group in self.sessions if not self.rooms.groups.get(group)]
        # All are let go of before any is stopped, since stopping one comes by here again.
        for session in [self.sessions.pop(group) for group in left]:
            session.stop("its rooms have left")
        for device in self._roster:
            self._settle(device, now_s)
        self.wake()

    def _settle(self, device: Device, now_s: float) -> None:
        wanted = self.wanted(device)
        present = device.session
        if wanted is None:
            if present is not None:
                present.detach(device, device.keeping_up.verdict.reason or LEFT)
            return
        session, pick, room = wanted
        if present is session:
            session.repick(device, pick)
            return
        if present is not None:
            present.detach(device)  # opening the other stream ends the present one
        device.begin_anew()
        session.attach(device, pick, room)
        device.keeping_up.fed(now_s)

    def lost(self, device: Device) -> None:
        """A device has lost its connection: the stream goes on without it, until it is back."""
        if device.session is not None:
            device.session.detach(device)

    def pump(self, now_us: int) -> None:
        """Send what is due."""
        for session in list(self.sessions.values()):
            try:
                session.pump(now_us)
            except Exception as fault:  # of ours: this session pays, the next one plays
                self._journal.fault("pump", fault)
                session.fail("a fault of the box")

    # Memos

    def remember(self) -> None:
        """Leave with each device what a box needs to go on, where that has changed."""
        for group, session in self.alive():
            if session.state == "playing":
                session.leave_memo(self.memo(group, session), self._house.now_us())

    def memo(self, group: Group, session: Session) -> Memo:
        """What is to be remembered of a session, but for the time."""
        fixed = session not in self.policies
        return session.memo(group.id, group.rooms, self._box, fixed=fixed)

    async def restore(self, memo: Memo) -> None:
        """Go on with what a memo tells of."""
        rooms = [room.id for room in self.rooms if room.id in memo.systems]
        if not rooms:
            return
        group = self.rooms.groups.restore(memo.group, rooms)
        present = self.sessions.get(group.id)
        if memo.state == IDLE or (present is not None and present.state in ALIVE):
            self.reconcile()
            return
        terms = Terms(memo.lead_ms, memo.codec)
        policy = None if memo.fixed else TermsPolicy.at(terms)
        session = self._new(memo.session, memo.items, terms, policy, None)
        self.sessions[group.id] = session
        self._number = max(self._number, memo.stream)
        self._journal.emit("session.restored", session=memo.session, group=group.id)
        going_on = session.restore_paused if memo.state == PAUSED else session.restore
        await self._begin(session, going_on(memo))

    # What they rest on

    def _of(self, rooms: Sequence[str] | None) -> list[Session]:
        if rooms is None:
            return [session for _, session in self.alive()]
        found = [self.session_of(room.id) for room in self.rooms.named(rooms)]
        return list(dict.fromkeys(session for session in found if session is not None))

    def _end(self, group: str) -> None:
        session = self.sessions.get(group)
        if session is not None:
            session.stop()

    def _new(
        self,
        name: str,
        items: Sequence[str],
        terms: Terms,
        policy: TermsPolicy | None,
        dump: Path | None,
    ) -> Session:
        self._names.add(name)
        session = Session(
            name,
            self._pool.take(),
            items,
            self._house,
            self._journal,
            terms=terms,
            pcm_dump=dump,
            on_change=self._session_changed,
        )
        if policy is not None:
            self.policies[session] = policy
        return session

    async def _begin(self, session: Session, beginning: Coroutine[Any, Any, None]) -> None:
        try:
            await beginning
        except (SourceError, NoSoundError) as fault:
            session.fail(str(fault))
            raise RpcError(REFUSED, str(fault)) from None
        except TimeoutError:
            session.fail("the source gave no sound in time")
            raise RpcError(REFUSED, "the source gave no sound in time") from None
        except Exception:
            session.fail("a fault of the box")
            raise

    def _session_changed(self, session: Session) -> None:
        if session.state not in ALIVE:
            self.policies.pop(session, None)
            self._spawn(self._pool.give_back(session.source))
        else:
            self.remember()  # before devices open the stream
        self.reconcile()

    def wake(self) -> None:
        """Let those look again who wait for a change."""
        if any(session.state == "playing" for session in self.sessions.values()):
            self.active.set()
        else:
            self.active.clear()
        self.changed.set()
        self.changed = asyncio.Event()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _next_name(self) -> str:
        return f"session-{self._boot}.{self._number % 65535 + 1}"

    def _terms(
        self, rooms: Sequence[System], lead_ms: int | None, codec: str | None
    ) -> tuple[TermsPolicy | None, Terms]:
        if lead_ms is not None and (
            type(lead_ms) is not int or not MIN_LEAD_MS <= lead_ms <= MAX_LEAD_MS
        ):
            raise invalid(f"lead_ms {lead_ms!r} is not within {MIN_LEAD_MS} to {MAX_LEAD_MS}")
        if codec is not None and codec not in audio.CODECS:
            raise invalid(f"codec {codec!r} is none of {', '.join(audio.CODECS)}")
        devices = [device for room in rooms for device in self.rooms.devices(room)]
        policy = TermsPolicy(device.window for device in devices)
        if lead_ms is None and codec is None:
            return policy, policy.terms
        return None, Terms(lead_ms or policy.terms.lead_ms, codec)

    def _checked_paths(self, paths: Sequence[str] | None) -> list[str]:
        if not paths:
            if self._music is None:
                raise invalid("nothing to play: name files or folders, or start with --music")
            return [str(self._music)]
        if not _are_texts(paths):
            raise invalid("paths must be a list of texts")
        for path in paths:
            if not Path(path).exists():
                raise invalid(f"{path}: no such file or folder")
        return list(paths)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in cast("list[Any]", value))


def _check_dump(path: Path) -> None:
    try:
        path.open("wb").close()
    except OSError as fault:
        raise invalid(f"pcm_dump {path}: {fault.strerror}") from None
