"""The rooms file: what it may say, and how its faults are named."""

import json
from pathlib import Path
from typing import Any

import pytest

from phantom.wire import LINK_PORT
from storagebox.coordinator.rooms import RoomsError, load, parse


def body(**device: Any) -> dict[str, Any]:
    """A file with one room of one device, with some fields of it set; None leaves one out."""
    fields = {"id": "kitchen", "address": "192.168.1.20", **device}
    kept = {key: value for key, value in fields.items() if value is not None}
    return {"installation": "demo", "rooms": [{"name": "Kitchen", "devices": [kept]}]}


def test_a_file_gives_rooms_and_devices_in_its_order(tmp_path: Path):
    path = tmp_path / "rooms.json"
    path.write_text(
        json.dumps(
            {
                "installation": "demo",
                "rooms": [
                    {"name": "Küche", "devices": [{"id": "k", "address": "10.0.0.1"}]},
                    {
                        "name": "Living room",
                        "devices": [
                            {"id": "l", "address": "10.0.0.2", "pick": "left", "port": 5000},
                            {"id": "r", "address": "fd00::3", "pick": "right"},
                        ],
                    },
                ],
            }
        )
    )
    installation = load(path)
    assert installation.name == "demo"
    listed = [(room.name, d.id, d.address, d.port, d.pick) for room, d in installation.devices]
    assert listed == [
        ("Küche", "k", "10.0.0.1", LINK_PORT, "both"),
        ("Living room", "l", "10.0.0.2", 5000, "left"),
        ("Living room", "r", "fd00::3", LINK_PORT, "right"),
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1, column 1"),
        ('{"rooms": [\n{"name": "x",}]}', "line 2, column 14"),
        ("[" * 100_000, "nested"),
        ("[]", "must be an object, is list"),
        ("{}", "'rooms' must be a list"),
        ('{"rooms": []}', "at least one"),
        ('{"rooms": [7]}', r"rooms\[0\]: must be an object, is int"),
        ('{"rooms": [{"name": "x"}]}', r"rooms\[0\]: 'devices'"),
        ('{"room": []}', "room: no such field"),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, fault: str, tmp_path: Path):
    path = tmp_path / "rooms.json"
    path.write_text(text)
    with pytest.raises(RoomsError, match=fault) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("device", "fault"),
    [
        ({"id": None}, r"rooms\[0\].devices\[0\]: 'id'"),
        ({"id": "  "}, "not empty"),
        ({"id": "x" * 33}, "over 32 bytes"),
        ({"address": None}, "'address'"),
        ({"address": "kitchen.local"}, "not an IP address"),
        ({"port": 0}, "not a port"),
        ({"port": True}, "not a port"),
        ({"port": "4770"}, "not a port"),
        ({"pick": "middle"}, "none of both, left, right, mono"),
        ({"pick": ["left"]}, "none of both"),
        ({"adress": "10.0.0.1"}, "adress: no such field"),
    ],
)
def test_a_device_that_cannot_be_is_refused(device: dict[str, Any], fault: str):
    with pytest.raises(RoomsError, match=fault):
        parse(body(**device))


def test_nothing_is_named_twice():
    rooms = body()["rooms"]
    other = body(id="bedroom", address="192.168.1.21")["rooms"]
    with pytest.raises(RoomsError, match="room name 'Kitchen' is used twice"):
        parse({"rooms": [*rooms, *other]})
    other[0]["name"] = "Bedroom"
    assert len(parse({"rooms": [*rooms, *other]}).rooms) == 2
    other[0]["devices"][0]["address"] = "192.168.1.20"
    with pytest.raises(RoomsError, match="address and port"):
        parse({"rooms": [*rooms, *other]})
    other[0]["devices"][0] = {"id": "kitchen", "address": "192.168.1.99"}
    with pytest.raises(RoomsError, match="device id 'kitchen'"):
        parse({"rooms": [*rooms, *other]})


def test_a_file_that_is_missing_or_no_text_is_one_line(tmp_path: Path):
    with pytest.raises(RoomsError, match="No such file"):
        load(tmp_path / "none.json")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RoomsError, match="not UTF-8"):
        load(tmp_path / "binary")
