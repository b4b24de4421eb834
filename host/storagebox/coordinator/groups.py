"""Which rooms play together. Every room is in exactly one group, most often alone.

Nothing here knows sessions: whoever changes groups looks at what `of` says before and after. A
group lasts as long as a room is in it; its id is never given to another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Rooms, by system id, in the order in which they came."""

    id: str
    rooms: tuple[str, ...]


class Groups:
    """The groups of a house. Rooms must have been told of by `update` or `restore`."""

    def __init__(self, prefix: str = "g") -> None:
        """`prefix` begins the ids of new groups; another in each life of a box."""
        self._prefix = prefix
        self._groups: dict[str, Group] = {}
        self._of: dict[str, str] = {}  # room → group id
        self._devices: dict[str, tuple[str, ...]] = {}  # of each room, as last told
        self._next = 1

    @property
    def all(self) -> list[Group]:
        """All groups, oldest first."""
        return list(self._groups.values())

    def of(self, room: str) -> Group:
        """A room's group. Raises KeyError for a room never told of."""
        return self._groups[self._of[room]]

    def get(self, group_id: str) -> Group | None:
        """The group of this id, if there is one."""
        return self._groups.get(group_id)

    # The house changes

    def update(self, rooms: Mapping[str, Sequence[str]]) -> None:
        """These are the rooms now, each with its devices.

        A room made of another's devices, such as a new pair, takes that one's place in its group.
        """
        heirs = {room: self._predecessor(room, rooms) for room in rooms if room not in self._of}
        for room, predecessor in heirs.items():
            if predecessor is None:
                self._put(self._fresh_id(), [room])
            else:
                group = self.of(predecessor)
                self._put(group.id, [*group.rooms, room])
        for room in [room for room in self._of if room not in rooms]:
            self._take(room)
            self._devices.pop(room, None)
        self._devices.update({room: tuple(devices) for room, devices in rooms.items()})

    def _predecessor(self, room: str, rooms: Mapping[str, Sequence[str]]) -> str | None:
        for device in rooms[room]:
            for other, devices in self._devices.items():
                if device in devices and other in self._of:
                    return other
        return None

    # People change groups

    def join(self, room: str, others: Iterable[str]) -> Group:
        """`others` come into the group that `room` is in."""
        group = self.of(room)
        new = [other for other in dict.fromkeys(others) if other not in group.rooms]
        for other in new:
            self._take(other)
        return self._put(group.id, [*group.rooms, *new])

    def leave(self, rooms: Iterable[str]) -> None:
        """Each of `rooms` is alone from now on; a group of one room stays as it is."""
        for room in dict.fromkeys(rooms):
            if len(self.of(room).rooms) > 1:
                self._take(room)
                self._put(self._fresh_id(), [room])

    def gather(self, rooms: Sequence[str]) -> Group:
        """A group of exactly these rooms: theirs if they are one already.

        It keeps the id of the first one's group if the others of that come along.
        """
        wanted = list(dict.fromkeys(rooms))
        group = self.of(wanted[0])
        if set(group.rooms) == set(wanted):
            return group
        if not set(group.rooms) <= set(wanted):
            self.leave(wanted[:1])
        return self.join(wanted[0], wanted[1:])

    def restore(self, group_id: str, rooms: Sequence[str]) -> Group:
        """A group as devices tell of it after a restart; its rooms leave any other."""
        for room in rooms:
            if room in self._of:
                self._take(room)
        there = self._groups[group_id].rooms if group_id in self._groups else ()
        return self._put(group_id, [*there, *dict.fromkeys(rooms)])

    # Keeping both directions true

    def _fresh_id(self) -> str:
        number, self._next = self._next, self._next + 1
        return f"{self._prefix}{number}"

    def _put(self, group_id: str, rooms: Sequence[str]) -> Group:
        group = Group(group_id, tuple(rooms))
        self._groups[group_id] = group
        self._of.update(dict.fromkeys(rooms, group_id))
        return group

    def _take(self, room: str) -> None:
        group = self._groups[self._of.pop(room)]
        left = tuple(other for other in group.rooms if other != room)
        if left:
            self._groups[group.id] = Group(group.id, left)
        else:
            del self._groups[group.id]
