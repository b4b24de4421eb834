"""The file that says which pin is what."""

from pathlib import Path

import pytest

from storagebox.pins import wiring
from storagebox.pins.header import GPIO_PINS, GROUND_PINS, gpio_of, nearest_ground
from storagebox.pins.wiring import ButtonPin, LightPin, Wiring, WiringError, parse


def test_the_example_is_a_wiring():
    found = parse(wiring.EXAMPLE, "example")
    assert [each.name for each in found.buttons] == list(wiring.BUTTONS)
    assert [each.name for each in found.lights] == ["music", "trouble", "pair"]
    assert found.buttons[0] == ButtonPin("play", "D17", active_high=False, pull="up")
    assert found.lights[0] == LightPin("music", "D5", active_high=True)
    assert found.rooms is None


def test_every_key_that_the_example_has_as_a_remark_may_be_given():
    said = wiring.EXAMPLE
    for key in ("rooms", "whole-group", "pair", "volume-step", "hold-ms", "debounce-ms"):
        said = said.replace(f"# {key} =", f"{key} =")
    said = said.replace("# status =", "status =")
    found = parse(said, "example")
    assert found.rooms == ("Kitchen",)
    assert found.whole_group
    assert found.pair == ("left", "right")
    assert len(found.lights) == 4


def test_one_button_is_enough():
    assert parse("[buttons]\nplay = 4", "f") == Wiring(
        (ButtonPin("play", "D4", active_high=False, pull="up"),), ()
    )


def test_a_button_to_the_supply_is_pulled_down():
    found = parse('[buttons]\npair = { pin = 4, active = "high" }', "f")
    assert found.buttons == (ButtonPin("pair", "D4", active_high=True, pull="down"),)


def test_another_boards_pins_have_their_own_names():
    found = parse('[lights]\nstatus = "Dx_OUTPUT"', "f")
    assert found.lights == (LightPin("status", "Dx_OUTPUT", active_high=True),)


PLAY = "[buttons]\nplay = 4\n"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("play = ", "not TOML", "phantom pins --example"),
        ("[buttons]\nplay = 4\nplay = 5", "not TOML", "phantom pins --example"),
        ("", "buttons", "no button and no light"),
        ("buttons = 4", "buttons", "[buttons]"),
        ("[buttons]\nstop = 4", "buttons.stop", "play, volume-up, volume-down, pair"),
        ("[lights]\npower = 4", "lights.power", "music, trouble, pair, status"),
        (f"room = 'x'\n{PLAY}", "room", "there are rooms"),
        ("[buttons]\nplay = 40", "buttons.play", "from 2 to 27"),
        ("[buttons]\nplay = 1", "buttons.play", "from 2 to 27"),
        ("[buttons]\nplay = true", "buttons.play", "GPIO's number"),
        ("[buttons]\nplay = 'GPIO 17'", "buttons.play", "GPIO's number"),
        ("[buttons]\nplay = { active = 'low' }", "buttons.play.pin", "is missing"),
        ("[buttons]\nplay = { pin = 4, low = 1 }", "buttons.play.low", "pin, active, pull"),
        ("[buttons]\nplay = { pin = 4, active = 'on' }", "buttons.play.active", "low, high"),
        ("[buttons]\nplay = { pin = 4, active = 1 }", "buttons.play.active", "low, high"),
        ("[buttons]\nplay = { pin = 4, pull = [] }", "buttons.play.pull", "up, down, none"),
        ("[buttons]\nplay = { pin = 4, pull = 'down' }", "buttons.play.pull", "leave it out"),
        (
            "[buttons]\nplay = { pin = 4, active = 'high', pull = 'up' }",
            "buttons.play.pull",
            "leave it out",
        ),
        (
            "[buttons]\nplay = { pin = 2, active = 'high' }",
            "buttons.play.pin",
            "pulled up on the board",
        ),
        ("[lights]\nmusic = { pin = 4, pull = 'up' }", "lights.music.pull", "pin, active"),
        (f"{PLAY}[lights]\nmusic = 'D4'", "lights.music", "buttons.play has pin D4 already"),
        (f"rooms = []\n{PLAY}", "rooms", "at least one"),
        (f"rooms = 'Kitchen'\n{PLAY}", "rooms", '["Kitchen"]'),
        (f"rooms = [1]\n{PLAY}", "rooms", "in quotes"),
        (f"whole-group = 1\n{PLAY}", "whole-group", "true nor false"),
        (f"whole-group = true\n{PLAY}", "whole-group", "without rooms"),
        (f"pair = ['a']\n{PLAY}", "pair", "left and right"),
        (f"pair = ['a', 'a']\n{PLAY}", "pair", "left and right"),
        (f"volume-step = 0\n{PLAY}", "volume-step", "from 1 to 20"),
        (f"volume-step = 2.5\n{PLAY}", "volume-step", "from 1 to 20"),
        (f"debounce-ms = 500\n{PLAY}", "debounce-ms", "from 0 to 200"),
        (f"hold-ms = true\n{PLAY}", "hold-ms", "from 500 to 10000"),
    ],
)
def test_what_is_wrong_is_one_line_with_file_key_and_remedy(text: str, key: str, words: str):
    with pytest.raises(WiringError) as caught:
        parse(text, "pins.toml")
    said = str(caught.value)
    assert said.startswith(f"pins.toml: {key}")
    assert words in said
    assert "\n" not in said


def test_a_file_that_is_not_there_or_no_text_is_one_line_too(tmp_path: Path):
    with pytest.raises(WiringError, match=r"none\.toml: No such file .*--example"):
        wiring.read(tmp_path / "none.toml")
    with pytest.raises(WiringError, match="Is a directory"):
        wiring.read(tmp_path)
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(WiringError, match="not a text in UTF-8"):
        wiring.read(tmp_path / "odd.toml")


def test_the_header_is_whole():
    supplies = {1, 2, 4, 17}
    expansion = {27, 28}
    assert len(set(GPIO_PINS.values())) == len(GPIO_PINS) == 26
    assert {*GPIO_PINS.values(), *GROUND_PINS, *supplies, *expansion} == set(range(1, 41))
    assert sorted(GPIO_PINS) == list(range(2, 28))
    assert gpio_of("D17") == 17
    assert gpio_of("D28") is None
    assert gpio_of("Dx_OUTPUT") is None
    assert [nearest_ground(pin) for pin in (11, 13, 29, 37, 40)] == [9, 14, 30, 39, 39]
