"""Drawings and tables of boards tell what the catalogue tells."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from boards import catalogue
from tools import wiring

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"
DRAWN = {
    "wiring-pcm5102.svg": "esp32_generic",
    "wiring-max98357a.svg": "esp32_generic_max98357a",
}
MIB = 1024 * 1024


@pytest.mark.parametrize("name", [n for n in catalogue.names() if catalogue.board(n).wiring])
def test_a_drawing_has_a_row_for_each_wire_and_stays_within_its_frame(name: str):
    board = catalogue.board(name)
    root = ET.fromstring(wiring.draw(board))
    texts = [(element.text or "") for element in root.iter(f"{SVG}text")]
    for wire in board.wiring:
        assert wire.part in texts
        assert wire.board in texts or wire.board == "open"
    assert len(list(root.iter(f"{SVG}path"))) == len(board.wiring)
    height = int(root.attrib["height"])
    assert all(0 < int(element.attrib["y"]) < height for element in root.iter(f"{SVG}text"))


@pytest.mark.parametrize(("file", "name"), DRAWN.items())
def test_the_drawings_in_the_docs_are_of_the_boards_as_they_are(file: str, name: str):
    drawn = (DOCS / "images" / file).read_text(encoding="utf-8")
    assert drawn == wiring.draw(catalogue.board(name)), (
        f"docs/images/{file} is of older facts: python -m tools.wiring {name} docs/images/{file}"
    )


def test_the_docs_table_is_of_the_boards_as_they_are():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (DOCS / "boards.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and line.count("|") == 9
    ]
    assert rows
    for name, _, chip, psram, flash, dac, channels, codec in rows:
        board = catalogue.board(name.strip("`"))
        assert board.chip.title == chip
        assert board.psram_bytes // MIB == int(psram.split()[0] if psram else 0)
        assert board.flash_bytes // MIB == int(flash.split()[0])
        assert dac.split(",")[0] == board.dac.part
        assert (", by I2C" in dac) == (board.dac.control is not None)
        assert int(channels) == board.dac.channels
        assert codec == {"pcm16": "PCM", "ima-adpcm": "IMA-ADPCM"}[board.codec]


def test_what_can_not_be_drawn_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "wiring.svg"
    assert wiring.main(["esp32_generic", str(path)]) == 0
    assert path.read_text().startswith("<svg")
    for arguments, said in (
        (["esp32_generic"], "usage:"),
        (["attic", str(path)], "there is no board 'attic'; there are esp32_generic"),
        (["louder_esp32", str(path)], "louder_esp32 has no [[wire]]"),
        (["esp32_generic", str(tmp_path / "no" / "folder")], "No such file"),
    ):
        assert wiring.main(arguments) == 2
        assert said in capsys.readouterr().err
