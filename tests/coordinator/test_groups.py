"""Which rooms play together, whatever is done to them."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from storagebox.coordinator.groups import Groups

ROOMS = ("kitchen", "bedroom", "bath", "attic")


def house(*rooms: str) -> Groups:
    groups = Groups()
    groups.update({room: [room] for room in rooms or ROOMS})
    return groups


def shape(groups: Groups) -> list[tuple[str, ...]]:
    return [group.rooms for group in groups.all]


def test_rooms_are_alone_at_first():
    assert shape(house()) == [(room,) for room in ROOMS]


def test_others_come_into_the_first_ones_group_and_leave_it_again():
    groups = house()
    kitchen = groups.of("kitchen").id
    assert groups.join("kitchen", ["bath", "attic"]).rooms == ("kitchen", "bath", "attic")
    assert groups.of("attic").id == kitchen
    groups.leave(["kitchen"])
    assert groups.of("kitchen").id != kitchen
    assert groups.of("bath").id == kitchen
    assert groups.of("bath").rooms == ("bath", "attic")


def test_moving_leaves_the_group_before_undisturbed():
    groups = house()
    groups.join("kitchen", ["bath"])
    groups.join("bedroom", ["bath"])
    assert groups.of("kitchen").rooms == ("kitchen",)
    assert groups.of("bath").rooms == ("bedroom", "bath")


def test_gathering_the_rooms_of_a_group_is_that_group():
    groups = house()
    first = groups.join("kitchen", ["bath"])
    assert groups.gather(["bath", "kitchen"]) == first
    assert groups.gather(["kitchen", "bath", "attic"]).id == first.id


def test_gathering_some_rooms_of_a_group_leaves_it_to_the_others():
    groups = house()
    first = groups.join("kitchen", ["bath", "attic"])
    second = groups.gather(["kitchen", "bedroom"])
    assert second.id != first.id
    assert groups.of("bath").id == first.id
    assert groups.of("bath").rooms == ("bath", "attic")


def test_a_new_pair_takes_the_place_of_its_halves():
    groups = Groups()
    groups.update({"l": ["l"], "r": ["r"], "kitchen": ["kitchen"]})
    group = groups.join("kitchen", ["l"])
    groups.update({"pair": ["l", "r"], "kitchen": ["kitchen"]})
    assert groups.of("pair").id == group.id
    assert groups.of("pair").rooms == ("kitchen", "pair")
    groups.update({"l": ["l"], "r": ["r"], "kitchen": ["kitchen"]})
    assert groups.of("l").id == groups.of("r").id == group.id


def test_a_restored_group_keeps_its_id_from_an_earlier_life():
    groups = Groups("second-")
    groups.update({"bath": ["bath"], "attic": ["attic"]})
    groups.restore("first-2", ["bath", "attic"])
    assert groups.of("bath").id == "first-2"
    groups.leave(["bath"])
    assert groups.of("bath").id == "second-3"


def test_a_group_restored_piece_by_piece_is_one():
    groups = house("kitchen")
    groups.restore("g9", ["bath"])
    groups.restore("g9", ["attic"])
    assert groups.of("bath").rooms == ("bath", "attic")


def test_a_room_never_told_of_is_no_room():
    with pytest.raises(KeyError):
        house().of("cellar")


class GroupsMachine(RuleBasedStateMachine):
    """However rooms come, go and are put together: each is in one group, and ids stay unique."""

    def __init__(self) -> None:
        super().__init__()
        self.groups = house()
        self.rooms = set(ROOMS)
        self.retired: set[str] = set()
        self.ids: set[str] = set()

    @rule(data=st.data())
    def join(self, data: st.DataObject):
        rooms = data.draw(st.permutations(sorted(self.rooms)))
        count = data.draw(st.integers(1, len(rooms)))
        group = self.groups.join(rooms[0], rooms[1:count])
        assert set(rooms[:count]) <= set(group.rooms)

    @rule(data=st.data())
    def gather(self, data: st.DataObject):
        rooms = data.draw(st.permutations(sorted(self.rooms)))
        count = data.draw(st.integers(1, len(rooms)))
        assert set(self.groups.gather(rooms[:count]).rooms) == set(rooms[:count])

    @rule(data=st.data())
    def leave(self, data: st.DataObject):
        room = data.draw(st.sampled_from(sorted(self.rooms)))
        others = set(self.groups.of(room).rooms) - {room}
        self.groups.leave([room])
        assert self.groups.of(room).rooms == (room,)
        assert all(set(self.groups.of(other).rooms) == others for other in others)

    @rule(rooms=st.sets(st.sampled_from(ROOMS), min_size=1))
    def update(self, rooms: set[str]):
        self.rooms = rooms
        self.groups.update({room: [room] for room in rooms})

    @invariant()
    def each_room_is_in_one_group(self):
        listed = [room for group in self.groups.all for room in group.rooms]
        assert sorted(listed) == sorted(self.rooms)
        assert all(room in self.groups.of(room).rooms for room in self.rooms)

    @invariant()
    def no_id_is_given_twice(self):
        ids = {group.id for group in self.groups.all}
        self.retired |= self.ids - ids
        self.ids = ids
        assert not ids & self.retired


TestGroups = GroupsMachine.TestCase
