"""A box that starts anew finds out from its devices what it was doing, and goes on with it.

Each device tells what it was left (`memo`): its group, what that plays and from where. They may
contradict each other, for one that was away has missed what came after. So the box waits a moment
until those that are there have spoken, and for each room the newest memo holds.

A device that comes later with a stream that nobody knows has slept through its end, and is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from phantom.rpc import RpcError
from storagebox.journal import Journal

from .device import Device
from .memo import Memo
from .notes import Notes
from .playing import Playing
from .rooms import Rooms
from .roster import Roster

# Devices answer a box that looks for them within a round trip, and are connected in another few.
# Not before this, since a first one to answer may be the one that has missed something.
GATHER_S = 0.35
# Later than this no missing device is waited for.
GATHER_MOST_S = 1.2
# A device in a bad place, whose handshake has timed out time and again, is one that was there.
RESTORE_S = 30.0

STRANGE = "its session is over"


def newest(memos: Iterable[Memo]) -> list[Memo]:
    """What holds, oldest session first: of each group the newest memo, and each room in one."""
    best: dict[str, Memo] = {}  # by room
    for memo in memos:
        for room in memo.systems:
            if room not in best or best[room].at_us < memo.at_us:
                best[room] = memo
    groups: dict[str, Memo] = {}
    for memo in best.values():
        if memo.group not in groups or groups[memo.group].at_us < memo.at_us:
            groups[memo.group] = memo
    kept = {
        memo.group: tuple(room for room in memo.systems if best[room].group == memo.group)
        for memo in groups.values()
    }
    for room, memo in best.items():  # rooms that only their own device tells of
        if memo.group in kept and room not in kept[memo.group]:
            same = groups[memo.group].session == memo.session
            kept[memo.group] += (room,) if same else ()
    found = [memo.of(kept[memo.group]) for memo in groups.values() if kept[memo.group]]
    return sorted(found, key=lambda memo: memo.at_us)


class Rebuilding:
    """Restores sessions in the first RESTORE_S; then closes what is left over."""

    def __init__(
        self,
        playing: Playing,
        notes: Notes,
        rooms: Rooms,
        roster: Roster,
        journal: Journal,
        now_s: Callable[[], float],
        expected: Callable[[], int],
    ) -> None:
        """`expected` is how many devices are believed to be here."""
        self._playing = playing
        self._notes = notes
        self._rooms = rooms
        self._roster = roster
        self._journal = journal
        self._now_s = now_s
        self._expected = expected
        self._began_s = now_s()
        self._gathered = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def over(self) -> bool:
        """Nothing is restored any more."""
        return self._now_s() - self._began_s >= RESTORE_S

    async def gather(self) -> None:
        """Wait until the devices have spoken, and restore what they tell of."""
        while not self._all_spoken():
            await asyncio.sleep(0.02)
        self._gathered = True
        memos = [memo for device in self._roster if device.ready for memo in device.memos]
        # What people have ordered meanwhile holds, be it that something stops.
        for memo in newest(memo for memo in memos if not self._known(memo)):
            self._restore(memo)
        await asyncio.sleep(0)  # groups are restored in the first step of each
        self._notes.begun = True

    def _all_spoken(self) -> bool:
        passed_s = self._now_s() - self._began_s
        ready = sum(1 for device in self._roster if device.ready)
        return passed_s >= GATHER_MOST_S or (passed_s >= GATHER_S and ready >= self._expected())

    def ready(self, device: Device) -> None:
        """A device has connected: is it in the middle of something?"""
        if not self._gathered or device.session is not None:
            return
        memo = max(device.memos, key=lambda memo: memo.at_us, default=None)
        stream = device.open_stream
        if memo is not None and not self.over and not self._known(memo):
            self._restore(memo)
        elif stream is not None:
            self._spawn(self._close(device, stream))

    def _known(self, memo: Memo) -> bool:
        """The session has ended here, or the device's rooms play something else by now."""
        sessions = {session.name for _, session in self._playing.alive()}
        if memo.session in sessions:
            return False  # the group may still lack this room
        return self._playing.knew(memo.session) or any(
            session.state in ("starting", "playing", "paused")
            for room in self._rooms
            if room.id in memo.systems
            for session in [self._playing.session_of(room.id)]
            if session is not None
        )

    def _restore(self, memo: Memo) -> None:
        self._spawn(self._begin(memo))

    async def _begin(self, memo: Memo) -> None:
        try:
            await self._playing.restore(memo)
        except RpcError as fault:
            self._journal.emit("session.lost", session=memo.session, reason=fault.message)

    async def _close(self, device: Device, stream: int) -> None:
        params = {"stream": stream, "at_chunk": None, "reason": STRANGE}
        try:
            await device.link.call("renderer.close", params)
        except RpcError as fault:
            self._journal.emit(
                "device.refused", device=device.id, method="renderer.close", reason=str(fault)
            )

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
