"""What each command asks of the box, what it prints, and how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from storagebox.cli.commands import app
from tests.cli.standin_box import StandinBox, busy_board, standin_box, unknown_room


@pytest.fixture(name="box")
def _box(tmp_path: Path) -> Iterator[StandinBox]:
    with standin_box(tmp_path / "box.sock") as box:
        yield box


def phantom(tmp_path: Path, *arguments: str) -> Result:
    """Run a command in this process, at the stand-in's socket."""
    return CliRunner().invoke(
        app, [*arguments, "--state", str(tmp_path)], prog_name="phantom", catch_exceptions=False
    )


MUSIC = str(Path.home() / "Music")
ORDERS: list[tuple[str, str, dict[str, Any]]] = [
    (
        "play ~/Music --room Kitchen --room Bedroom",
        "play",
        {"paths": [MUSIC], "rooms": ["Kitchen", "Bedroom"]},
    ),
    ("play", "play", {"paths": []}),
    (
        "play /m --lead-ms 900 --codec pcm16",
        "play",
        {"paths": ["/m"], "lead_ms": 900, "codec": "pcm16"},
    ),
    ("pause", "pause", {}),
    ("resume --room Kitchen", "resume", {"rooms": ["Kitchen"]}),
    ("stop", "stop", {}),
    ("group Kitchen Bedroom", "group", {"rooms": ["Kitchen", "Bedroom"]}),
    ("ungroup Bedroom", "ungroup", {"rooms": ["Bedroom"]}),
    ("volume 40", "volume", {"value": 40.0}),
    ("volume +5 --room Kitchen", "volume", {"delta": 5.0, "rooms": ["Kitchen"]}),
    ("volume -5", "volume", {"delta": -5.0}),
    ("volume --room Kitchen -12.5", "volume", {"delta": -12.5, "rooms": ["Kitchen"]}),
    ("volume 30% --device kitchen", "volume", {"value": 30.0, "device": "kitchen"}),
    ("mute", "mute", {"on": True}),
    ("unmute --device kitchen", "mute", {"on": False, "device": "kitchen"}),
    (
        "pair living-l living-r --name Living",
        "pair",
        {"left": "living-l", "right": "living-r", "name": "Living"},
    ),
    ("unpair Living", "unpair", {"room": "Living"}),
    ("name Kitchen Big", "name", {"room": "Kitchen", "name": "Big"}),
    (
        "trim kitchen --delay-us -500 --level-db -3 --max-volume 80",
        "trim",
        {"device": "kitchen", "trim_us": -500, "level_db": -3.0, "max_volume": 80.0},
    ),
    ("trim kitchen --level-db 0", "trim", {"device": "kitchen", "level_db": 0.0}),
    (
        "adopt esp32-9a8b7c ABCD-EFGH-2345",
        "adopt",
        {"device": "esp32-9a8b7c", "code": "ABCD-EFGH-2345"},
    ),
    ("forget kitchen", "forget", {"device": "kitchen"}),
    (
        'call kitchen renderer.level volume=2500 mute=false name=Küche=1 ids=["a"] none=null',
        "call",
        {
            "device": "kitchen",
            "method": "renderer.level",
            "params": {
                "volume": 2500,
                "mute": False,
                "name": "Küche=1",
                "ids": ["a"],
                "none": None,
            },
        },
    ),
]


@pytest.mark.parametrize(("line", "method", "params"), ORDERS)
def test_a_command_asks_the_box_for_one_thing(
    line: str, method: str, params: dict[str, Any], box: StandinBox, tmp_path: Path
):
    done = phantom(tmp_path, *line.split())
    assert done.exit_code == 0, done.stderr
    assert box.calls == [(method, params)]
    assert done.stdout
    assert done.stderr == ""
    as_json = phantom(tmp_path, *line.split(), "--json")
    assert json.loads(as_json.stdout) == {"result": True}


@pytest.mark.parametrize("line", [line for line, _, _ in ORDERS])
def test_what_the_box_refuses_is_one_line_and_says_whose_fault_it_is(
    line: str, box: StandinBox, tmp_path: Path
):
    box.refusal = unknown_room("Attic")
    done = phantom(tmp_path, *line.split())
    assert done.exit_code == 2
    assert done.stderr == "phantom: no room 'Attic'; there are Kitchen, Bedroom, Living room\n"
    assert done.stdout == ""
    box.refusal = busy_board()
    done = phantom(tmp_path, *line.split())
    assert done.exit_code == 1
    assert done.stderr == "phantom: kitchen did not answer: is it on?\n"


@pytest.mark.parametrize(
    "line", [*(line for line, _, _ in ORDERS), "status", "rooms", "watch", "volume", "adopt"]
)
def test_without_a_box_the_exit_status_is_3(line: str, tmp_path: Path):
    done = phantom(tmp_path, *line.split())
    assert done.exit_code == 3
    assert done.stderr == (
        f"phantom: {tmp_path}/box.sock: no box serves here: start `phantom box`\n"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("volume loud", ["volume: loud is no level", "0 to 100", "+5"]),
        ("volume 101", ["volume: 101 is no level"]),
        ("volume -101", ["volume: -101 is no level"]),
        ("volume nan", ["volume: nan is no level"]),
        ("volume --device kitchen", ["volume: nothing is no level"]),
        ("group Kitchen", ["group: Kitchen alone is no group", "two rooms"]),
        ("trim kitchen", ["trim: nothing to change on kitchen", "--delay-us", "--max-volume"]),
        ("trim kitchen --delay-us 200001", ["trim: ", "--delay-us", "200000"]),
        ("trim kitchen --level-db 1", ["trim: ", "--level-db", "0"]),
        ("adopt esp32-9a8b7c", ["adopt: the code of esp32-9a8b7c is missing", "serial console"]),
        ("call kitchen", ["call: missing argument", "phantom call --help"]),
        ("call kitchen x novalue", ["call: 'novalue' is no parameter", "KEY=VALUE"]),
        ("pair living-l", ["pair: missing argument", "phantom pair --help"]),
        ("plai", ["'plai'", "play", "phantom --help"]),
        ("play --loud", ["play: ", "--loud", "phantom play --help"]),
        ("watch a b", ["watch: ", "phantom watch --help"]),
    ],
)
def test_bad_input_is_one_line_that_names_the_fault_and_the_remedy(
    line: str, words: list[str], box: StandinBox, tmp_path: Path
):
    done = phantom(tmp_path, *line.split())
    assert done.exit_code == 2
    assert done.stderr.startswith("phantom: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr
    assert box.calls == []


def test_json_is_the_boxs_answer_in_one_object(box: StandinBox, tmp_path: Path):
    def answer(*arguments: str) -> Any:
        done = phantom(tmp_path, *arguments, "--json")
        assert done.exit_code == 0
        return json.loads(done.stdout)

    assert answer("status") == box.status
    assert answer("rooms") == {"rooms": box.status["rooms"]}
    assert answer("volume") == {"rooms": box.status["rooms"]}
    assert answer("adopt") == {"unadopted": box.status["unadopted"]}
    box.answer = {"session": "s2", "stream": 42}
    assert answer("play", "/m") == {"session": "s2", "stream": 42}
    box.answer = ["a", 1]
    assert answer("call", "kitchen", "x") == {"result": ["a", 1]}


def test_volume_shows_the_levels_of_the_rooms_it_was_for(box: StandinBox, tmp_path: Path):
    done = phantom(tmp_path, "volume", "40", "--room", "liv", "--room", "KITCHEN")
    assert done.stdout == "room         volume\nKitchen          40\nLiving room      40\n"
    assert [name for name, _ in box.calls] == ["volume"]


def test_identify_says_who_chimes_and_why_others_do_not(box: StandinBox, tmp_path: Path):
    refused = {"bath": "music plays here"}
    box.answer = {"start_us": 1, "chiming": ["kitchen"], "refused": refused, "away": ["den"]}
    done = phantom(tmp_path, "identify", "Kitchen", "Bath")
    assert done.exit_code == 0
    assert done.stdout == "kitchen: chiming\nbath: music plays here\nden: away\n"
    assert box.calls == [("identify", {"rooms": ["Kitchen", "Bath"]})]
    box.answer = {"start_us": 1, "chiming": [], "refused": refused, "away": []}
    assert phantom(tmp_path, "identify").exit_code == 1
    box.refusal = unknown_room("Attic")
    assert phantom(tmp_path, "identify", "Attic").exit_code == 2


def test_identify_without_a_box_needs_only_the_folder_of_one(tmp_path: Path):
    done = phantom(tmp_path, "identify")
    assert done.exit_code == 3
    assert "installation.json: missing" in done.stderr
    assert done.stderr.count("\n") == 1


def test_stopping_nothing_is_said(box: StandinBox, tmp_path: Path):
    box.answer = False
    assert phantom(tmp_path, "stop").stdout == "nothing plays\n"
    box.answer = True
    assert phantom(tmp_path, "stop", "--room", "Kitchen").stdout == "stopped in Kitchen\n"


def test_an_answer_of_a_device_is_printed_as_json_and_a_text_as_it_is(
    box: StandinBox, tmp_path: Path
):
    box.answer = {"id": "kitchen", "boot": 7}
    done = phantom(tmp_path, "call", "kitchen", "device.info")
    assert json.loads(done.stdout) == {"id": "kitchen", "boot": 7}
    box.answer = "well"
    assert phantom(tmp_path, "call", "kitchen", "device.mood").stdout == "well\n"


def test_help_tells_the_exit_statuses_and_of_every_command_what_it_does(tmp_path: Path):
    done = CliRunner().invoke(app, [], prog_name="phantom")
    assert done.exit_code == 0
    assert "3 no box runs here" in done.stdout
    for line, _, _ in ORDERS:
        command = line.split()[0]
        told = CliRunner().invoke(app, [command, "--help"], prog_name="phantom")
        assert told.exit_code == 0
        assert f"Usage: phantom {command} " in told.stdout
        assert "--json" in told.stdout
