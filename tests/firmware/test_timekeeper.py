"""Whom a device asks for house time, as peers come, go, flap and fall silent."""

from time import ticks_add

from phantom.timekeeper import ALONE, ASK, FOUND, KEEPS_TIME, NOTHING, Timekeeper
from phantom.wire import mux

PORTABLE = True

_TURN_MS = 250


class Peer:
    def __init__(self, name, keeps=True, role=mux.ROLE_DEVICE, services=None):
        self.id = name
        self.role = role
        self.flags = KEEPS_TIME if keeps else 0
        self.services = {"clock": 4771} if services is None else services


class Seat:
    """A timekeeper at its place, turned every quarter of a second of simulated time."""

    def __init__(self, me="m", role=mux.ROLE_DEVICE):
        self.now_ms = ticks_add(0, -20000)  # ticks wrap on the way
        self.keeper = Timekeeper(me, self.now_ms, role)
        self.synced = False
        self.settled = False

    def turn(self, peers, seconds, heard=True):
        """The verdicts of some seconds, without NOTHING."""
        verdicts = []
        for _ in range(seconds * 1000 // _TURN_MS):
            self.now_ms = ticks_add(self.now_ms, _TURN_MS)
            verdict = self.keeper.turn(peers, self.synced, self.settled, heard, self.now_ms)
            if verdict != NOTHING:
                verdicts.append(verdict)
                if verdict == FOUND:
                    self.synced = self.settled = True
        return verdicts

    def asks(self):
        return self.keeper.server.id if self.keeper.server is not None else None


def follower(of, me="m"):
    seat = Seat(me)
    assert seat.turn([of], 1) == [ASK]
    seat.synced = seat.settled = True
    seat.turn([of], 1)
    return seat


def test_a_device_alone_begins_a_timeline_after_it_has_listened():
    seat = Seat()
    assert seat.turn([], 2) == []
    assert seat.turn([], 2) == [FOUND]
    assert seat.turn([], 1) == []
    assert seat.keeper.keeps


def test_of_devices_without_time_the_lowest_id_begins():
    low, high = Seat("a"), Seat("b")
    assert high.turn([Peer("a", keeps=False)], 5) == []
    assert low.turn([Peer("b", keeps=False)], 5) == [FOUND]
    assert high.turn([Peer("a")], 1) == [ASK]


def test_where_the_lowest_never_begins_the_next_does():
    seat = Seat("b")
    assert seat.turn([Peer("a", keeps=False), Peer("c", keeps=False)], 7) == [FOUND]


def test_a_box_is_asked_before_any_device_and_of_boxes_the_lower_id():
    seat = Seat()
    box = Peer("z-box", role=mux.ROLE_BOX)
    assert seat.turn([Peer("a"), Peer("b"), box], 1) == [ASK]
    assert seat.asks() == "z-box"
    seat = Seat()
    seat.turn([box, Peer("y-box", role=mux.ROLE_BOX)], 1)
    assert seat.asks() == "y-box"


def test_a_peer_without_time_or_without_a_clock_is_not_asked():
    seat = Seat()
    assert seat.turn([Peer("a", keeps=False), Peer("b", services={})], 2) == []


def test_whoever_has_time_does_not_give_it_up_for_a_peer_that_has_none():
    seat = Seat("b")
    seat.turn([], 4)
    assert seat.turn([Peer("a", keeps=False)], 60) == []
    assert seat.keeper.keeps


def test_a_board_with_the_lowest_id_waits_until_its_estimate_is_good():
    seat = Seat("a")
    seat.turn([Peer("b")], 1)
    seat.synced = True
    seat.turn([Peer("b")], 30)
    assert seat.asks() == "b"
    assert not seat.keeper.keeps
    seat.settled = True
    seat.turn([Peer("b")], 1)
    assert seat.keeper.keeps
    assert seat.turn([Peer("b")], 12) == [ALONE]


def test_when_the_server_dies_the_next_is_asked_at_once():
    seat = follower(Peer("a"))
    assert seat.turn([Peer("b"), Peer("n")], 1) == [ASK]
    assert seat.asks() == "b"
    assert seat.turn([Peer("n")], 1) == [ALONE]
    assert seat.keeper.keeps


def test_where_the_server_dies_before_anybody_is_settled_those_who_have_time_step_in():
    seat = Seat("b")
    seat.turn([Peer("a"), Peer("c", keeps=False)], 1)
    seat.synced = True
    assert seat.turn([Peer("c", keeps=False)], 2) == [ALONE]
    assert seat.keeper.keeps


def test_a_better_server_is_asked_once_it_has_stayed_for_some_seconds():
    seat = follower(Peer("b"))
    both = [Peer("a"), Peer("b")]
    assert seat.turn(both, 4) == []
    assert seat.turn(both, 8) == [ASK]
    assert seat.asks() == "a"


def test_a_flapping_peer_is_not_followed_each_time_it_comes():
    seat = follower(Peer("b"))
    changes = 0
    for _ in range(30):
        changes += len(seat.turn([Peer("a"), Peer("b")], 12))
        changes += len(seat.turn([Peer("b")], 4))
    assert changes <= 4, changes
    assert seat.asks() == "b"


def test_one_that_asks_nobody_asks_soon_however_often_its_server_went_away():
    box = Peer("z-box", role=mux.ROLE_BOX)
    seat = follower(box, "a")
    for _ in range(6):
        assert seat.turn([Peer("b")], 12) == [ALONE]
        assert seat.turn([box, Peer("b")], 6) == [ASK]
        assert seat.asks() == "z-box"


def test_a_box_is_preferred_to_a_device_soon_however_often_it_went_away():
    box = Peer("z-box", role=mux.ROLE_BOX)
    seat = follower(box)
    for _ in range(6):
        assert seat.turn([Peer("b")], 12) == [ASK]
        assert seat.asks() == "b"
        assert seat.turn([box, Peer("b")], 6) == [ASK]
        assert seat.asks() == "z-box"


def test_a_house_that_was_calm_for_long_changes_soon_again():
    seat = follower(Peer("b"))
    for _ in range(5):
        seat.turn([Peer("a"), Peer("b")], 60)
        seat.turn([Peer("b")], 2)
    seat.turn([Peer("b")], 130)
    assert len(seat.turn([Peer("a"), Peer("b")], 6)) == 1


def test_a_server_that_never_answers_is_passed_over():
    seat = Seat()
    peers = [Peer("a"), Peer("b")]
    seat.turn(peers, 1, heard=False)
    assert seat.asks() == "a"
    seat.turn(peers, 5, heard=False)
    assert seat.asks() == "b"
    assert seat.turn(peers, 30) == []


def test_a_peer_that_fell_silent_and_left_is_welcome_when_it_returns():
    seat = Seat()
    seat.turn([Peer("a")], 6, heard=False)
    seat.turn([], 1)
    seat.turn([Peer("a")], 1)
    assert seat.asks() == "a"


def test_of_two_timelines_that_meet_the_one_of_the_lower_id_stays():
    low, high = Seat("a"), Seat("k")
    low.turn([], 5)
    high.turn([], 5)
    assert low.turn([Peer("k")], 20) == []
    assert high.turn([Peer("a")], 20) == [ASK]


def test_a_server_that_moved_is_known_by_its_new_address():
    seat = follower(Peer("a"))
    moved = Peer("a")
    assert seat.turn([moved], 1) == []
    assert seat.keeper.server is moved


def test_a_box_keeps_time_before_any_device_but_follows_a_box_of_lower_id():
    seat = Seat("m-box", mux.ROLE_BOX)
    assert seat.turn([Peer("a", keeps=False)], 4) == [FOUND]
    assert seat.turn([Peer("a")], 60) == []
    assert seat.turn([Peer("a"), Peer("z-box", role=mux.ROLE_BOX)], 60) == []
    assert seat.turn([Peer("a"), Peer("b-box", role=mux.ROLE_BOX)], 30) == [ASK]
