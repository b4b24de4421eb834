"""A board's life: bare, flashed by `phantom flash`, adopted, heard; every tool as it is published.

The chip is emulated: esptool writes it, its boot ROM's double starts it, MicroPython's unix port
runs it, and a box adopts it and plays on it.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boards.emulated.board import EmulatedBoard
from boards.emulated.rom import CHIPS, FlashFile
from boards.emulated.rom.bare import BareChip
from boards.image import firmware, standin
from boards.image.manifest import BYTECODE
from phantom.wire import audio
from storagebox import installation
from storagebox.box import Box
from tests.running_box import write_music
from tests.standins import until
from tools.flash import starting
from tools.measure.accounting import account
from tools.measure.align import align
from tools.measure.canonical import Canonical

pytest.importorskip("esptool", reason="esptool is missing: install Phantom's extra `boards`")

# Of this run: boards of other runs on this machine are none of its house.
HOUSE = {"id": secrets.token_hex(8), "key": secrets.token_hex(32), "name": "life"}
SECONDS = 3.0


class FlashedBoard(EmulatedBoard):
    """A board that runs what a tool has written into its flash."""

    def flash(self) -> None:
        """It is flashed already."""


@pytest.fixture
def board(tmp_path: Path, micropython: str) -> Iterator[FlashedBoard]:
    """An ESP32-S3, without power."""
    os.environ["PHANTOM_MICROPYTHON"] = micropython
    process = os.getpid()
    board = FlashedBoard(
        "kitchen",
        tmp_path,
        address=f"127.{100 + process // 250 % 100}.{process % 250}.1",
        profile="esp32s3",
        flash_erase_us=5000,
        wifis={"home": "secret12"},
    )
    yield board
    board.stop()


@pytest.fixture
def bare(board: FlashedBoard) -> Iterator[BareChip]:
    """The same on a serial port, as it comes out of its bag: its mask ROM, and erased flash."""
    with BareChip(CHIPS["esp32s3"], FlashFile.blank(board.workdir / "flash.bin")) as chip:
        yield chip


@asynccontextmanager
async def a_box(state: Path, board: EmulatedBoard) -> AsyncIterator[Box]:
    """A box beside the board."""
    installation.found(state, HOUSE)
    address = board.address.rpartition(".")[0] + ".200"
    async with Box(state=state, address=address, clock_port=0) as box:
        yield box
        assert not [event for event in box.journal.latest if event["event"] == "fault"]


async def flash(chip: BareChip, folder: Path) -> dict[str, Any]:
    """`phantom flash`, as a person would, with a stand-in for MicroPython's image; its JSON."""
    image = folder / "micropython.bin"
    image.write_bytes(standin.micropython("esp32s3", application_bytes=300_000))
    password = folder / "password"
    password.write_text("secret12\n")
    arguments: list[str | Path] = ["flash", "--board", "esp32_generic_s3", "--port", chip.port]
    arguments += ["--firmware", image, "--id", "kitchen", "--name", "Kitchen", "--new"]
    arguments += ["--ssid", "home", "--wifi-password-file", password, "--watch", "0", "--json"]
    # An emulated board runs what this machine runs.
    arguments += ["--march", firmware.host_architecture() or BYTECODE]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "storagebox.cli",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, fault = await process.communicate()
    assert process.returncode == 0, fault.decode()
    return json.loads(told)


def heard(board: EmulatedBoard, playing: dict[str, Any], frames: Any) -> None:
    """The board has put out all of it, in time, and without a glitch."""
    canonical = Canonical(frames)
    played = align(
        board.name,
        board.captures[-1:],
        playing["start_us"],
        pick=audio.BOTH,
        canonical=canonical,
    )
    books = account(played, canonical)
    assert (books.jumps, books.dropouts) == ([], [])
    (stretch,) = played.stretches
    assert stretch.first_frame == 0
    assert int(stretch.frame[-1]) > len(frames) - 512
    assert np.abs(played.error_us).max() < 1000


def code_of(board: EmulatedBoard) -> str | None:
    """What the board shows on its serial line for whoever may adopt it."""
    started = starting.judge(board.log())
    return started.code if started else None


def test_a_bare_board_is_flashed_adopted_and_heard(
    board: FlashedBoard, bare: BareChip, tmp_path: Path
):
    frames = write_music(tmp_path / "song.wav", SECONDS)

    async def story() -> dict[str, Any]:
        told = await flash(bare, tmp_path)
        assert told["written_bytes"] > 0
        assert bare.boots == 1  # its ROM has found what it starts
        bare.stop()
        board.start()
        async with a_box(tmp_path / "box", board) as box:
            assert box.coordinator is not None
            await until(lambda: code_of(board) and box.status()["unadopted"], "it is found")
            await box.coordinator.arranging.adopt(board.name, code_of(board) or "")
            await box.coordinator.wait("devices", 30, 1)
            playing = await box.coordinator.playing.play([str(tmp_path / "song.wav")])
            await box.coordinator.wait("end", 30)
            return playing

    playing = asyncio.run(story())
    board.stop()
    heard(board, playing, frames)
