"""Images with Phantom in them, for boards without PSRAM."""

from pathlib import Path

import pytest

from boards import catalogue
from boards.image import chips
from boards.image.partitions import STOCK
from tools.flash.esptool import Connected
from tools.flash.flashing import Flashed, Job
from tools.flash.identity import Identity, Wifi
from tools.flash.release import Release

# As MicroPython's build lists what it froze.
LISTED = b"asyncio/core.py\0phantom/cursor.py\0phantom/device.py\0phantom/doubt.py\0"


def release(data: bytes) -> Release:
    return Release(Path("x.bin"), chips.CHIPS["esp32"], "1.25.0", tuple(STOCK), data)


def test_an_image_tells_whether_phantom_is_in_it():
    assert release(bytes(100) + LISTED).frozen
    assert not release(b"say phantom/device.py in a text").frozen


@pytest.mark.parametrize("name", catalogue.names())
def test_a_board_without_psram_wants_phantom_in_its_image_and_is_told(name: str):
    board = catalogue.board(name)
    assert board.wants_frozen == (board.heap_bytes < 1 << 20)
    job = Job(
        port="/dev/ttyUSB0",
        board=name,
        chip=board.chip.name,
        facts=board.facts(),
        firmware="x.bin",
        wants_frozen=board.wants_frozen,
        identity=Identity("kitchen", "Kitchen", Wifi("home", "secret12")),
    )
    connected = Connected(board.chip, "ESP32", "24:6f:28:01:02:03", board.flash_bytes)
    plain = Flashed(connected, release(b"")).remarks(job)
    assert any("no PSRAM" in line and "docs/flashing.md" in line for line in plain) == (
        board.wants_frozen
    )
    assert not any("PSRAM" in line for line in Flashed(connected, release(LISTED)).remarks(job))
