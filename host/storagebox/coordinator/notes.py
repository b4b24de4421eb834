"""What devices are left while nothing plays: which rooms are a group, and where a paused song is.

A device keeps the memo of a session with its stream (`Session.leave_memo`); without a stream it
keeps this note (`renderer.note`), in memory only. Of a note and a memo that tell of the same room,
a box that starts anew believes the newer.
"""

from __future__ import annotations

from dataclasses import replace

from storagebox.streamer.house_clock import HouseTime

from .memo import Memo
from .playing import Playing
from .rooms import Rooms
from .session import ALIVE


class Notes:
    """Call `tick` a few times a second."""

    def __init__(self, playing: Playing, rooms: Rooms, house: HouseTime, box: str) -> None:
        self._playing = playing
        self._rooms = rooms
        self._house = house
        self._box = box
        self._memos: dict[str, Memo] = {}  # of each group, the latest
        self.begun = False  # not before what an earlier life has left has been read

    def tick(self) -> None:
        """Write down what has changed."""
        if not self.begun:
            return
        for group in self._rooms.groups.all:
            session = self._playing.sessions.get(group.id)
            if session is not None and session.state not in ALIVE:
                session = None
            if session is not None and session.state != "paused":
                continue
            memo = Memo(0, self._box, group.id, group.rooms)
            if session is not None:
                memo = self._playing.memo(group, session)
            written = self._memos.get(group.id)
            if written is None or replace(written, at_us=0) != memo:
                written = self._memos[group.id] = replace(memo, at_us=self._house.now_us())
            plain = session is None and len(group.rooms) == 1
            self._leave(written, plain=plain)
        gone = [group for group in self._memos if self._rooms.groups.get(group) is None]
        for group in gone:
            del self._memos[group]

    def _leave(self, memo: Memo, *, plain: bool) -> None:
        """`plain`: a room alone and silent, worth a note only where one says otherwise."""
        for room in self._rooms:
            if room.id in memo.systems:
                for device in self._rooms.devices(room):
                    if device.note or not plain:
                        device.leave_note(memo.dumps(room.id))
