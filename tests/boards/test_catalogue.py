"""The catalogue of boards: folders, and what is wrong with one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from boards import catalogue
from boards.catalogue import BoardError
from boards.emulated.profiles import PROFILES, profile
from phantom import provision

# A board that nobody makes: adding it is adding its folder.
ATTIC = """
title = "Attic radio"
chip = "esp32"
download = "ESP32_GENERIC"
max_hz = 240_000_000
output = "a horn"

[memory]
psram_bytes = 0
heap_bytes = 131_072
ring_bytes = 49_152

[flash]
bytes = 4_194_304
partitions = "4MiBplus"

[stream]
codec = "pcm16"
lead_ms = 900

[dac]
part = "PCM5102"
i2s = 1
sck = 14
ws = 12
sd = 13
ibuf = 16_384
delay_us = 1200
channels = 1

[dac.control]
driver = "es8311"
i2c = 0
scl = 22
sda = 21
hz = 100_000
address = 0x19
"""


def _write(folder: Path, text: str, name: str = "attic_radio") -> Path:
    path = folder / name / "board.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_adding_a_board_is_adding_a_folder(tmp_path: Path):
    _write(tmp_path, ATTIC)
    (tmp_path / "emulated").mkdir()  # no board: it has no board.toml
    assert catalogue.names(tmp_path) == ["attic_radio"]
    board = catalogue.board("attic_radio", tmp_path)
    assert board.chip.march == "xtensawin"
    assert board.chip.bootloader_offset == 0x1000
    assert board.image == "ESP32_GENERIC"
    assert board.dac.control is not None
    assert board.facts() == {
        "name": "attic_radio",
        "max_hz": 240_000_000,
        "ring_bytes": 49_152,
        "codec": "pcm16",
        "lead_ms": 900,
        "dac": {
            "i2s": 1,
            "sck": 14,
            "ws": 12,
            "sd": 13,
            "ibuf": 16_384,
            "delay_us": 1200,
            "channels": 1,
            "control": {
                "driver": "es8311",
                "i2c": 0,
                "scl": 22,
                "sda": 21,
                "hz": 100_000,
                "address": 0x19,
                "gain_db10": 0,
            },
        },
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('chip = "esp32"', 'chip = "esp8266"', "chip = 'esp8266' is not known: give one of esp32"),
        ('title = "Attic radio"', "", "title is missing: give a text"),
        ("= 240_000_000", "= 480_000_000", "max_hz = 480000000: give a whole number from"),
        ("= 240_000_000", '= "fast"', "max_hz = 'fast': give a whole number from"),
        ("[flash]", "[flashes]", "flash is missing: give a table [flash]"),
        ('"4MiBplus"', '"4 MiB"', "flash.partitions = '4 MiB' is not known: give one of 4MiBplus"),
        ('codec = "pcm16"', 'codec = "mp3"', "stream.codec = 'mp3' is not known"),
        ("lead_ms = 900", "lead_ms = 5000", "holds 1861 ms of mono in IMA-ADPCM; give that"),
        ("= 49_152", "= 100_000", "memory.ring_bytes = 100000 leaves too little of a heap"),
        ("ibuf = 16_384", "ibuf = 16_000", "dac.ibuf = 16000: give a multiple of 1024"),
        ("channels = 1", "channels = 6", "dac.channels = 6: give a whole number from 1 to 2"),
        ("sd = 13", "sd = 34", "dac.sd = 34: an ESP32 can't drive it here; give one of 0, 1, 2"),
        ("sd = 13", "sd = 12", "dac.sd = 12 is dac.ws already: give each pin one use"),
        ("psram_bytes = 0", "psram_bytes = 4_194_304", None),
        ("sda = 21", "sda = 14", "dac.control.sda = 14 is dac.sck already"),
        ("= 0x19", "= 0x80", "dac.control.address = 128: give a whole number from 8 to 119"),
        (
            'driver = "es8311"',
            'driver = "../boot"',
            "driver = '../boot': give a module of phantom",
        ),
        ("hz = 100_000", "hz = 100_000\nspeed = 3", "dac.control.speed is not known"),
        ("[dac]", "colour = 3\n[dac]", "stream.colour is not known"),
        ('part = "PCM5102"', 'part = ""', "dac.part = '': give a line of text"),
        ("[dac.control]", "[[wire]]\n[dac.control]", "wire[1].board is missing"),
        ("[memory]", "[memory", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_file_key_and_remedy(
    tmp_path: Path, old: str, new: str, said: str | None
):
    assert old in ATTIC
    path = _write(tmp_path, ATTIC.replace(old, new, 1))
    if said is None:
        catalogue.board("attic_radio", tmp_path)
        return
    with pytest.raises(BoardError) as caught:
        catalogue.board("attic_radio", tmp_path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wires_begin_at_the_pins_that_are_used(tmp_path: Path):
    wires = "".join(
        f'\n[[wire]]\nboard = "GPIO{pin}"\npart = "x"\npurpose = "y"\n' for pin in (14, 12, 15)
    )
    _write(tmp_path, ATTIC + wires)
    with pytest.raises(BoardError, match=r"dac\.sd = 13: no \[\[wire\]\] begins"):
        catalogue.board("attic_radio", tmp_path)


def test_pins_of_the_psram_are_taken_where_there_is_some(tmp_path: Path):
    text = ATTIC.replace("sd = 13", "sd = 17")
    _write(tmp_path, text)
    catalogue.board("attic_radio", tmp_path)
    _write(tmp_path, text.replace("psram_bytes = 0", "psram_bytes = 8_388_608"))
    with pytest.raises(BoardError, match=r"dac\.sd = 17: an ESP32 can't drive it"):
        catalogue.board("attic_radio", tmp_path)


def test_an_unknown_board_is_answered_with_those_there_are(tmp_path: Path):
    _write(tmp_path, ATTIC)
    with pytest.raises(BoardError, match="no board 'atic'; there are attic_radio"):
        catalogue.board("atic", tmp_path)
    with pytest.raises(BoardError, match=r"no board '\.\./image'"):
        catalogue.board("../image")


@pytest.mark.parametrize("name", catalogue.names())
def test_every_board_can_be_used_by_its_firmware(name: str, tmp_path: Path):
    board = catalogue.board(name)
    facts = json.loads(json.dumps(board.facts()))
    for file, content in (("board.json", facts), ("device.json", {"id": "attic"})):
        (tmp_path / file).write_text(json.dumps(content))
    told: list[str] = []
    loaded, _, faults = provision.load("c0ffee", str(tmp_path) + "/", told.append)
    assert loaded == facts
    assert faults == []


def test_chips_and_boards_are_emulated_from_the_same_facts():
    assert {name: each.kind.name for name, each in PROFILES.items()} == {
        "esp32": "esp32_generic",
        "esp32s3": "esp32_generic_s3",
        "esp32c3": "esp32_generic_c3",
    }
    assert profile("louder_esp32").kind == catalogue.board("louder_esp32")
    with pytest.raises(ValueError, match="no board 'esp8266'; there are"):
        profile("esp8266")
