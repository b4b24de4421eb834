"""Properties and whoever observes them: a snapshot, then every change, whatever gets lost."""

import json

from phantom.observer import Observer
from phantom.properties import MAX_VALUE_BYTES, PAGE_BYTES, Properties
from phantom.rpc import INVALID_PARAMS, RpcError
from tests.firmware.wire_pair import Pair
from tests.portable import Random, raises

PORTABLE = True
HEAP_KIB = 1024


class _House:
    """A device's properties and an observer, with a wire between that a test can cut."""

    def __init__(self, count=0, names=None):
        self.wire = Pair()
        self.properties = Properties()
        for number in range(count):
            self.properties.declare("a.%03d" % number, number)
        self.heard = []
        self.observer = Observer(
            self.wire.near, lambda name, value: self.heard.append((name, value)), names
        )
        self.properties.attach(self.wire.far)

    def start(self):
        self.observer.start()
        self.wire.run()

    def turn(self):
        self.properties.chore(0)
        self.wire.run()
        self.observer.tick()
        self.wire.run()

    def same(self):
        return self.observer.values == self.properties.snapshot()


def test_an_observer_gets_a_snapshot_and_then_changes():
    house = _House()
    house.properties.declare("device.name", "kitchen", constant=True)
    house.properties.declare("renderer.volume", 4000)
    house.start()
    assert sorted(house.heard) == [("device.name", "kitchen"), ("renderer.volume", 4000)]
    assert house.observer.current
    house.properties.set("renderer.volume", 5000)
    house.turn()
    assert house.heard[2:] == [("renderer.volume", 5000)]


def test_changes_of_one_chore_go_in_one_message_and_an_equal_value_is_none():
    house = _House(3)
    house.start()
    before = house.wire.sent
    house.properties.set("a.000", 7)
    house.properties.set("a.001", 1)
    house.properties.set("a.002", 8)
    house.properties.set("a.002", 9)
    house.turn()
    assert house.wire.sent == before + 1
    assert house.heard[3:] == [("a.000", 7), ("a.002", 9)]
    house.turn()
    assert house.wire.sent == before + 1


def test_what_does_not_fit_a_message_comes_in_pages():
    house = _House(0)
    for number in range(40):
        house.properties.declare("text.%02d" % number, "x" * (number * 11))
    house.start()
    assert house.same()
    assert house.wire.longest < PAGE_BYTES + 600
    assert house.wire.sent > 8


def test_changes_while_the_pages_come_are_not_lost():
    house = _House(0)
    for number in range(40):
        house.properties.declare("text.%02d" % number, "x" * 200)
    house.observer.start()
    for step in range(60):
        house.properties.set("text.%02d" % (step * 7 % 40), "y%d" % step)
        house.properties.chore(0)
        house.wire.step()
    house.wire.run()
    for _ in range(40):
        house.turn()
    assert house.same()
    assert house.observer.gaps == 0


def test_a_lost_change_is_noticed_by_the_next_and_read_again():
    house = _House(4)
    house.start()
    house.properties.set("a.001", 100)
    house.properties.chore(0)
    house.wire.lose()
    house.properties.set("a.002", 200)
    house.turn()
    assert house.observer.gaps == 1
    assert house.same()
    assert house.observer.current


def test_whatever_gets_lost_in_the_end_the_values_are_right():
    random = Random(5)
    house = _House(12)
    house.start()
    for _ in range(400):
        house.properties.set("a.%03d" % random.below(12), random.below(1000))
        house.properties.chore(0)
        if random.below(4) == 0:
            house.wire.lose()
        else:
            house.turn()
        house.wire.tick(random.below(900))
    house.properties.set("a.000", -1)
    for _ in range(8):
        house.turn()
        house.wire.tick(2500)
    assert house.same()
    assert house.observer.gaps > 10


def test_what_finds_no_room_is_told_with_the_next_chore():
    house = _House(2)
    house.start()
    house.wire.full = True
    house.properties.set("a.000", 5)
    house.properties.chore(0)
    house.wire.full = False
    house.turn()
    assert house.observer.values["a.000"] == 5
    assert house.observer.gaps == 0


def test_an_observer_that_comes_back_hears_only_what_is_new():
    house = _House(3)
    house.start()
    house.observer.stop()
    house.properties.detach(house.wire.far)
    house.properties.set("a.001", 50)
    house.heard.clear()
    house.start()
    assert house.heard == [("a.001", 50)]


def test_a_property_that_is_gone_after_a_restart_is_told_as_none():
    house = _House(3)
    house.start()
    younger = Properties()
    younger.declare("a.000", 0)
    younger.attach(house.wire.far)
    house.heard.clear()
    house.start()
    assert sorted(house.heard) == [("a.001", None), ("a.002", None)]
    assert house.observer.values == {"a.000": 0}


def test_only_the_names_asked_for_are_told():
    house = _House(0, names=["renderer."])
    house.properties.declare("renderer.mute", False)
    house.properties.declare("device.name", "kitchen")
    house.start()
    house.properties.set("device.name", "hall")
    house.properties.set("renderer.mute", True)
    house.turn()
    assert house.observer.values == {"renderer.mute": True}


def test_a_value_longer_than_a_message_reads_null():
    house = _House(1)
    house.properties.set("a.000", "x" * MAX_VALUE_BYTES)
    house.start()
    assert house.observer.values == {"a.000": None}


def test_a_peer_sets_what_is_writable_and_learns_what_was_kept():
    house = _House(1)

    def clamp(value):
        if not isinstance(value, int):
            raise RpcError(INVALID_PARAMS, "renderer.volume is a whole number")
        return min(value, 10000)

    house.properties.declare("renderer.volume", 0, writable=clamp)
    ask = house.wire.ask
    assert ask("properties.set", {"name": "renderer.volume", "value": 20000}) == 10000
    assert house.properties.get("renderer.volume") == 10000
    for wrong in (
        {"name": "renderer.volume", "value": "loud"},
        {"name": "a.000", "value": 1},
        {"name": "b", "value": 1},
        {"name": [1], "value": 1},
        {"name": "renderer.volume"},
        {},
    ):
        with raises(RpcError) as caught:
            ask("properties.set", wrong)
        assert caught.value.code == INVALID_PARAMS, wrong


def test_wrong_questions_get_the_error_that_fits():
    house = _House(1)
    for wrong in (
        {"names": "a"},
        {"names": [1]},
        {"names": ["x"] * 99},
        {"names": ["x" * 99]},
        {"after": 1},
        {"before": 1},
    ):
        for method in ("properties.read", "properties.observe"):
            with raises(RpcError) as caught:
                house.wire.ask(method, wrong)
            assert caught.value.code == INVALID_PARAMS, wrong


def test_an_observer_survives_whatever_a_peer_answers_and_tells():
    random = Random(11)
    bits = [None, 1, -1, "x", [], {}, [{}], {"values": {}}, {"a": 1}, True, 1 << 70]
    for _ in range(300):
        wire = Pair()
        observer = Observer(wire.near)

        def answer(names=None, after=None):
            return {
                "values": bits[random.below(len(bits))],
                "version": bits[random.below(len(bits))],
                "next": bits[random.below(len(bits))],
            }

        wire.far.register("properties.observe", answer)
        observer.start()
        for _ in range(10):
            told = {"version": bits[random.below(11)], "values": bits[random.below(11)]}
            wire.far.notify("properties.changed", told)
            for _ in range(20):
                wire.step()
            observer.tick()
        assert len(json.dumps(observer.values)) < 200


def test_declaring_twice_or_changing_a_constant_is_our_own_mistake():
    properties = Properties()
    properties.declare("device.id", "a", constant=True)
    with raises(ValueError):
        properties.declare("device.id", "b")
    with raises(ValueError):
        properties.set("device.id", "b")
    assert properties.get("device.id") == "a"


def test_whatever_a_peer_asks_of_properties_others_are_told_right():
    random = Random(23)
    bits = [None, True, 0, -1, 1 << 70, 0.5, "", "a.", "a.001", "x" * 60, [], ["a."], [[]], {}]
    bits += [[1], ["x"] * 30, {"a.001": 2}]
    names = ["names", "after", "name", "value", "more"]
    methods = ["observe", "read", "set"]
    house = _House(6)
    house.start()
    mad = Pair()
    house.properties.attach(mad.far)
    refused = 0
    for number in range(600):
        asked = {}
        for _ in range(random.below(4)):
            asked[names[random.below(len(names))]] = bits[random.below(len(bits))]
        try:
            mad.ask("properties." + methods[random.below(len(methods))], asked)
        except RpcError as fault:
            refused += 1
            if fault.code != INVALID_PARAMS:
                raise
        house.properties.set("a.%03d" % random.below(6), number)
        house.turn()
        mad.run()
        assert house.same()
    assert refused > 100
    assert mad.refused == ["invalid_params"] * refused
    assert house.observer.gaps == 0
