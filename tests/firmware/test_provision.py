"""A board comes up whatever its flash holds, and says what it lacks."""

import json
import os

from phantom import provision
from tests.portable import Folder, Random

PORTABLE = True

DAC = {"sck": 26, "ws": 25, "sd": 22, "ibuf": 16384, "delay_us": 1150}
FACTS = {"name": "esp32_generic", "max_hz": 240000000, "ring_bytes": 60000, "dac": DAC}
DEVICE = {"id": "kitchen", "name": "Küche", "wifi": {"ssid": "home", "key": "secret"}}
FILES = ("/board.json", "/device.json")


def _with(fields, **changes):
    changed = dict(fields)
    changed.update(changes)
    return changed


def _load(folder):
    told = []
    board, device, faults = provision.load("c0ffee", folder, told.append)
    assert told == faults
    return board, device, faults


def _put(path, octets):
    with open(path, "wb") as f:
        f.write(octets)


def _write(folder, board=FACTS, device=DEVICE):
    for name, fields in ((FILES[0], board), (FILES[1], device)):
        _put(folder + name, json.dumps(fields).encode())


def test_what_a_flasher_wrote_is_taken_and_kept_twice():
    with Folder() as folder:
        _write(folder)
        for _ in range(2):
            board, device, faults = _load(folder)
            assert (board, device, faults) == (FACTS, _with(DEVICE, port=4770), [])
        for name in FILES:
            _put(folder + name, b"\xff garbage")
        board, device, faults = _load(folder)
        assert (board, device["id"]) == (FACTS, "kitchen")
        assert all("its copy" in fault for fault in faults)
        assert len(faults) == 2


def test_without_any_good_copy_the_chip_id_and_defaults_stand_in():
    with Folder() as folder:
        _write(folder)
        for name in ("/device.json", "/device.json.old"):
            _put(folder + name, b"garbage")
        board, device, faults = _load(folder)
        assert board == FACTS
        assert device == {"id": "c0ffee", "name": "c0ffee", "port": 4770, "wifi": {}}
        assert "device.json is damaged" in faults[0]


def test_a_board_without_facts_knows_no_dac_and_names_what_is_wrong():
    with Folder() as folder:
        for board, wrong in (
            ({}, "name is not text"),
            (_with(FACTS, ring_bytes="many"), "ring_bytes is not a whole number"),
            (_with(FACTS, dac=[1]), "dac is not an object"),
            (_with(FACTS, dac=_with(DAC, sck=None)), "dac.sck is not a whole number"),
            (_with(FACTS, dac=_with(DAC, channels=5)), "dac.channels"),
        ):
            _write(folder, board)
            facts, device, faults = _load(folder)
            assert facts["dac"] is None
            assert device["id"] == "kitchen"
            assert wrong in faults[0]
            assert "provisioned again" in faults[1]
            assert "board.json.old" not in os.listdir(folder)  # no copy of what is no use


CONTROL = {"driver": "es8311", "i2c": 0, "scl": 18, "sda": 8, "hz": 100000, "address": 24}


def test_a_fact_that_a_board_can_play_without_gives_way_alone():
    def controlled(**changes):
        return {"dac": _with(DAC, control=_with(CONTROL, **changes))}

    with Folder() as folder:
        good = _with(FACTS, codec="pcm16", lead_ms=900, **controlled(enable=46, gain_db10=-60))
        _write(folder, good)
        board, _, faults = _load(folder)
        assert (board, faults) == (good, [])
        for key, wrong in (
            ("codec", {"codec": "mp3"}),
            ("codec", {"codec": ["pcm16"]}),
            ("lead_ms", {"lead_ms": -1}),
            ("control", {"dac": _with(DAC, control=[1])}),
            ("control", {"dac": _with(DAC, control=None)}),
            ("control", controlled(driver="../boot")),
            ("control", controlled(driver=7)),
            ("control", controlled(address=None)),
            ("control", controlled(enable="high")),
            ("control", controlled(gain_db10=300)),
            ("control", controlled(gain_db10="quiet")),
        ):
            _write(folder, _with(FACTS, **wrong))
            board, _, faults = _load(folder)
            assert board == FACTS
            assert len(faults) == 1
            assert "board.json: %s can't be" % key in faults[0]


def test_a_decision_that_can_not_be_gives_way_to_its_default_alone():
    with Folder() as folder:
        _write(folder, device={"id": 7, "name": "Küche", "port": -1, "wifi": "home"})
        _, device, faults = _load(folder)
        assert device == {"id": "c0ffee", "name": "Küche", "port": 4770, "wifi": {}}
        assert len(faults) == 3


_JUNK = (None, True, -1, 1.5, "", "x" * 70, [], {}, {"a": []}, 1 << 40)


def _pick(random, items):
    return items[random.below(len(items))]


def test_no_garbage_keeps_a_board_from_coming_up():
    random = Random(4)
    names = list(FACTS) + list(DEVICE) + list(DAC)
    with Folder() as folder:
        for _ in range(200):
            for name in FILES:
                dac = dict(DAC)
                fields = _with(FACTS, dac=dac)
                fields.update(DEVICE)
                for _ in range(random.below(3)):
                    _pick(random, (fields, dac))[_pick(random, names)] = _pick(random, _JUNK)
                octets = bytearray(json.dumps(fields).encode())
                if random.below(2):
                    rest = bytes(random.below(256) for _ in range(random.below(20)))
                    octets = octets[: random.below(len(octets))] + rest
                _put(folder + name, octets)
                if name[1:] + ".old" in os.listdir(folder):
                    os.remove(folder + name + ".old")
            board, device, _ = _load(folder)
            assert isinstance(board["ring_bytes"], int)
            assert board["dac"] is None or board["dac"]["sck"] >= 0
            assert 0 < len(device["id"].encode()) <= 32
            assert isinstance(device["name"], str)
