"""Unmodified esptool and mpremote on one emulated board: from erased flash to a prompt and back.

What esptool wrote is what boots; while the firmware runs, esptool still finds the chip.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.emulated.board import EmulatedBoard
from boards.image import flash, standin
from tests.boards.driver import wait_for

PATIENCE = 60.0

pytestmark = pytest.mark.usefixtures("micropython")


@pytest.fixture
def board(tmp_path: Path) -> Iterator[EmulatedBoard]:
    board = EmulatedBoard(
        "bench", tmp_path, profile="esp32s3", serial=True, blank=True, flash_erase_us=0
    )
    board.start()
    yield board
    board.stop()


def tool(module: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def image(folder: Path, text: str) -> Path:
    """MicroPython, as the ROM wants it, and a file system with a main.py, for the whole chip."""
    whole = folder / "whole.bin"
    flash.build(whole, {"/main.py": f"print({text!r})\n"})
    release = standin.micropython("esp32s3", application_bytes=60_000)
    content = bytearray(whole.read_bytes())
    content[: len(release)] = release
    whole.write_bytes(content)
    return whole


def test_a_blank_board_is_written_boots_talks_and_is_written_again(
    board: EmulatedBoard, tmp_path: Path
) -> None:
    wait_for("the ROM's complaint", lambda: "invalid header: 0xffffffff" in board.log())
    assert board.pid is None
    esptool = ("esptool", "--chip", "esp32s3", "--port", board.port)
    tool(*esptool, "write-flash", "0", image(tmp_path, "first"))
    wait_for("the prompt", lambda: "first\nMicroPython" in board.log())
    assert "39" in tool("mpremote", "connect", board.port, "exec", "print(3 * 13)")
    # The firmware runs; the tool is heard all the same, and reads what the firmware wrote.
    tool(
        "mpremote",
        "connect",
        board.port,
        "exec",
        "f = open('/kept', 'w'); f.write('x'); f.close()",
    )
    assert "Detected flash size: 4MB" in tool(*esptool, "flash-id")
    wait_for("the prompt again", lambda: board.log().count("first\nMicroPython") == 2)
    assert board.flash_file("/kept") == b"x"
    tool(*esptool, "--after", "watchdog-reset", "write-flash", "0", image(tmp_path, "second"))
    wait_for("the other main", lambda: "second\nMicroPython" in board.log())
    tool(*esptool, "erase-flash")
    complaints = board.log().count("invalid header")
    wait_for("the ROM's complaint", lambda: board.log().count("invalid header") > complaints)
    assert board.pid is None
