"""A board comes up whatever its flash holds, and says what it lacks."""

import json
import random

from phantom import provision

DAC = {"sck": 26, "ws": 25, "sd": 22, "ibuf": 16384, "delay_us": 1150}
FACTS = {"name": "esp32_generic", "max_hz": 240000000, "ring_bytes": 60000, "dac": DAC}
DEVICE = {"id": "kitchen", "name": "Küche", "wifi": {"ssid": "home", "key": "secret"}}


def _load(folder):
    told = []
    board, device, faults = provision.load("c0ffee", str(folder), told.append)
    assert told == faults
    return board, device, faults


def _write(folder, board=FACTS, device=DEVICE):
    (folder / "board.json").write_text(json.dumps(board))
    (folder / "device.json").write_text(json.dumps(device))


def test_what_a_flasher_wrote_is_taken_and_kept_twice(tmp_path):
    _write(tmp_path)
    for _ in range(2):
        board, device, faults = _load(tmp_path)
        assert (board, device, faults) == (FACTS, {**DEVICE, "port": 4770}, [])
    for name in ("board.json", "device.json"):
        (tmp_path / name).write_bytes(b"\xff garbage")
    board, device, faults = _load(tmp_path)
    assert (board, device["id"]) == (FACTS, "kitchen")
    assert all("its copy" in fault for fault in faults)
    assert len(faults) == 2


def test_without_any_good_copy_the_chip_id_and_defaults_stand_in(tmp_path):
    _write(tmp_path)
    for name in ("device.json", "device.json.old"):
        (tmp_path / name).write_text("garbage")
    board, device, faults = _load(tmp_path)
    assert board == FACTS
    assert device == {"id": "c0ffee", "name": "c0ffee", "port": 4770, "wifi": {}}
    assert "device.json is damaged" in faults[0]


def test_a_board_without_facts_knows_no_dac_and_names_what_is_wrong(tmp_path):
    for board, wrong in (
        ({}, "name is not text"),
        ({**FACTS, "ring_bytes": "many"}, "ring_bytes is not a whole number"),
        ({**FACTS, "dac": [1]}, "dac is not an object"),
        ({**FACTS, "dac": {**DAC, "sck": None}}, "dac.sck is not a whole number"),
        ({**FACTS, "dac": {**DAC, "channels": 5}}, "dac.channels"),
    ):
        _write(tmp_path, board)
        facts, device, faults = _load(tmp_path)
        assert facts["dac"] is None
        assert device["id"] == "kitchen"
        assert wrong in faults[0]
        assert "provisioned again" in faults[1]
        assert not (tmp_path / "board.json.old").exists()  # no copy of what is no use


def test_a_decision_that_can_not_be_gives_way_to_its_default_alone(tmp_path):
    _write(tmp_path, device={"id": 7, "name": "Küche", "port": -1, "wifi": "home"})
    _, device, faults = _load(tmp_path)
    assert device == {"id": "c0ffee", "name": "Küche", "port": 4770, "wifi": {}}
    assert len(faults) == 3


def test_no_garbage_keeps_a_board_from_coming_up(tmp_path):
    rng = random.Random(4)
    junk = [None, True, -1, 1.5, "", "x" * 70, [], {}, {"a": []}, 1 << 40]
    for _ in range(300):
        for name in ("board.json", "device.json"):
            dac = dict(DAC)
            fields = {**FACTS, **DEVICE, "dac": dac}
            for _ in range(rng.randrange(3)):
                rng.choice((fields, dac))[rng.choice([*fields, *DAC])] = rng.choice(junk)
            octets = bytearray(json.dumps(fields).encode())
            if rng.random() < 0.5:
                octets[rng.randrange(len(octets)) :] = rng.randbytes(rng.randrange(20))
            (tmp_path / name).write_bytes(octets)
            (tmp_path / (name + ".old")).unlink(missing_ok=True)
        board, device, _ = _load(tmp_path)
        assert isinstance(board["ring_bytes"], int)
        assert board["dac"] is None or board["dac"]["sck"] >= 0
        assert 0 < len(device["id"].encode()) <= 32
        assert isinstance(device["name"], str)
