"""Tables: whole in a pipe, 80 columns wide on a terminal, and true to what the box says."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from storagebox.cli import tables
from tests.cli.standin_box import house


def terminal(width: int, *parts: Any) -> str:
    """As a terminal of that width shows it, without its colours."""
    text = StringIO()
    console = Console(
        file=text,
        width=width,
        force_terminal=True,
        no_color=True,
        highlight=False,
        color_system=None,
    )
    for part in parts:
        console.print(part)
    return text.getvalue()


STATUS_IN_A_PIPE = """\
Home  3 rooms, 3 of 4 devices here

Kitchen, Bedroom  playing  1:07  Grüße aus dem Odenwald · The Slow Walkers
                  volume 32, lead 2000 ms, ima-adpcm

                                                        buffer  error  under-
room         device          state    health    volume      ms     µs    runs
Kitchen      kitchen         playing  good          40    1280     +4       0
Bedroom      bedroom         playing  fair    25 muted    1280    -11       3
Living room  living-l left   idle     poor          40    1280     +4       0
             living-r right  away

Bedroom: Wi-Fi loses 12 % (-82 dBm): the lead is 2000 ms
Living room: living-r has gone: living-l plays both channels

waits to be adopted  address      board
esp32-9a8b7c         127.77.0.20  esp32

phantom adopt esp32-9a8b7c CODE, with the code on its serial console
"""


def test_a_pipe_gets_plain_whole_lines(capsys: pytest.CaptureFixture[str]):
    tables.show(*tables.status(house()))
    assert capsys.readouterr().out == STATUS_IN_A_PIPE


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_of_80_columns_loses_no_figure(width: int):
    shown = terminal(width, *tables.status(house()))
    assert all(len(line) <= width for line in shown.splitlines())
    for text in ("25 muted", "1280", "-11", "living-r right", "away", "Odenwald", "Slow Walkers"):
        assert text in shown
    assert "…" not in shown


def test_long_names_wrap_and_figures_do_not():
    status = house()
    status["rooms"][0]["name"] = "The winter garden behind the kitchen, upper half"
    status["rooms"][0]["devices"][0]["id"] = "esp32s3-devkit-0123456789ab"
    shown = terminal(80, *tables.status(status))
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "25 muted" in shown
    assert "1280" in shown
    assert "…" not in shown


def test_markup_in_a_name_is_only_text(capsys: pytest.CaptureFixture[str]):
    status = house()
    status["rooms"][0]["name"] = "[red]Kitchen[/red] [/]"
    status["sessions"][0]["track"]["title"] = "[bold]Song"
    tables.show(*tables.status(status))
    tables.show(*tables.rooms(status["rooms"]))
    shown = capsys.readouterr().out
    assert shown.count("[red]Kitchen[/red] [/]") == 4
    assert "[bold]Song" in shown


def test_a_house_with_nothing_in_it_says_what_to_do(capsys: pytest.CaptureFixture[str]):
    status = {**house(), "rooms": [], "groups": [], "sessions": [], "unadopted": []}
    tables.show(*tables.status(status))
    tables.show(*tables.rooms([]))
    tables.show(*tables.unadopted([]))
    assert capsys.readouterr().out == (
        "Home  0 rooms, 0 of 0 devices here\n"
        "no rooms yet: `phantom adopt` lists the boards that wait\n"
        "no board waits to be adopted\n"
    )


def test_rooms_tell_who_plays_with_whom(capsys: pytest.CaptureFixture[str]):
    tables.show(*tables.rooms(house()["rooms"]))
    assert capsys.readouterr().out.splitlines()[:4] == [
        "room         kind    volume  health  with     devices",
        "Kitchen      solo        40  good    Bedroom  kitchen",
        "Bedroom      solo  25 muted  fair    Kitchen  bedroom",
        "Living room  pair        40  poor             living-l left, living-r right",
    ]


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            {"kind": "property", "device": "kitchen", "name": "renderer.volume", "value": 4000},
            "property kitchen renderer.volume  value=4000",
        ),
        (
            {"kind": "room", "room": "Kitchen", "volume": 40.0, "reason": None},
            "room Kitchen  volume=40",
        ),
        (
            {"kind": "device", "device": "a", "services": {"link": 4770}, "addresses": ["1", "2"]},
            "device a  services=link:4770  addresses=1,2",
        ),
        ({"kind": "missed", "count": 3}, "missed  count=3"),
    ],
)
def test_a_change_is_one_line(told: dict[str, Any], line: str):
    assert tables.change(told) == line


PORTS = [
    {
        "port": "/dev/ttyUSB0",
        "state": "bare",
        "why": "no MicroPython answers: `phantom flash`",
        "chip": "ESP32-D0WD-V3 (revision v3.1)",
        "mac": "24:6f:28:01:02:03",
        "flash_bytes": 4 << 20,
    },
    {
        "port": "/dev/ttyUSB1",
        "state": "phantom",
        "why": "",
        "chip": "ESP32",
        "mac": "24:6f:28:aa:bb:cc",
        "micropython": "1.25.0",
        "phantom": "0.1.0",
        "board": "esp32_generic",
        "name": "Living room left",
        "house": "Our home",
        "ssid": "home",
        "flash_bytes": 4 << 20,
        "free_bytes": 1_700_000,
    },
    {"port": "/dev/ttyACM0", "state": "busy", "why": "in use by mpremote (4711): close it"},
]


REMARK = (
    "Phantom 0.1.0 on MicroPython 1.25.0, esp32_generic, of Our home, Wi-Fi home, 1.62 MB free"
)


def test_ports_are_rows_with_what_is_on_them(capsys: pytest.CaptureFixture[str]):
    tables.show(*tables.on_ports(PORTS))
    assert capsys.readouterr().out.splitlines() == [
        "port          is       chip           MAC                flash  name",
        "/dev/ttyUSB0  bare     ESP32-D0WD-V3  24:6f:28:01:02:03   4 MB",
        "/dev/ttyUSB1  phantom  ESP32          24:6f:28:aa:bb:cc   4 MB  Living room left",
        "/dev/ttyACM0  busy",
        "",
        "/dev/ttyUSB0: no MicroPython answers: `phantom flash`",
        f"/dev/ttyUSB1: {REMARK}",
        "/dev/ttyACM0: in use by mpremote (4711): close it",
    ]
    assert all(
        len(line.rstrip()) <= 80 for line in terminal(80, *tables.on_ports(PORTS)).splitlines()
    )
    tables.show(*tables.on_ports([]))
    assert "no serial port" in capsys.readouterr().out
