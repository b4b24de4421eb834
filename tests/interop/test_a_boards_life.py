"""A board's life, told by its commands and its sound: one chip, from its bag to its second update.

The chip is emulated: unmodified esptool writes it at its port, its boot ROM's double starts it,
MicroPython's unix port runs it, unmodified mpremote talks to it, and a box adopts it, plays on it
and updates it.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from boards.emulated.board import EmulatedBoard
from boards.image import firmware, standin
from phantom import VERSION
from phantom.manifest import BYTECODE
from phantom.wire import RATE, audio
from storagebox import installation
from storagebox.box import Box
from storagebox.coordinator.session import Session
from tests.bundles import bundle_of
from tests.house.truth import Song, Truth, now_us, song
from tests.standins import until

pytest.importorskip("esptool", reason="esptool is missing: install Phantom's extra `boards`")
pytest.importorskip("mpremote", reason="mpremote is missing: install Phantom's extra `boards`")

NEXT, BROKEN = "0.2.0", "0.3.0"
PASSWORD = "secret12"
# For what takes seconds on a machine that is not starved.
PATIENCE_S = 100.0
# No stretch of music in this story takes longer, but on such a machine.
SONG_S = 60.0
HEARD_S = 2.0


@pytest.fixture
def board(tmp_path: Path, micropython: str) -> Iterator[EmulatedBoard]:
    """An ESP32-S3 out of its bag, on a serial port, within reach of one Wi-Fi."""
    os.environ["PHANTOM_MICROPYTHON"] = micropython
    process = os.getpid()
    board = EmulatedBoard(
        "pantry",  # no other new board on this machine is
        tmp_path,
        address=f"127.{100 + process // 250 % 100}.{process % 250}.1",
        profile="esp32s3",
        ppm=12.0,
        serial=True,
        blank=True,
        flash_erase_us=5_000,
        wifis={"home": PASSWORD},
    )
    board.start()
    yield board
    board.stop()


async def phantom(*arguments: str | Path) -> tuple[int | None, str]:
    """A command as a person gives it: its exit status, and what it said.

    A person's machine is none of the board's: the board goes first.
    """
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", "10", sys.executable),
        "-m",
        "storagebox.cli",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        said, complaint = await process.communicate()
    return process.returncode, (said + complaint).decode()


async def flashed(board: EmulatedBoard, folder: Path) -> str:
    """`phantom flash` on the board's port; the code to adopt it by."""
    image = folder / "micropython.bin"
    image.write_bytes(standin.micropython("esp32s3", application_bytes=300_000))
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    # An emulated board runs what this machine runs.
    march = firmware.host_architecture() or BYTECODE
    status, said = await phantom(
        *("flash", "--board", "esp32_generic_s3", "--port", board.port, "--firmware", image),
        *("--march", march, "--id", board.name, "--name", "Kitchen", "--new"),
        *("--ssid", "home", "--wifi-password-file", password, "--json"),
    )
    assert status == 0, said
    done = json.loads(said)
    assert done["written_bytes"] > 1 << 20
    assert done["address"] == board.address
    return done["code"]


@dataclass(frozen=True)
class Stretch:
    """Music from its beginning to an instant within it, in house time."""

    truth: Truth
    since_us: int
    until_us: int


class Home:
    """A box beside the board, and the music there."""

    def __init__(self, board: EmulatedBoard, box: Box, music: Song) -> None:
        assert box.coordinator is not None
        self._board = board
        self._box = box
        self._coordinator = box.coordinator
        self._music = music
        self._origin = 0  # frame of the song with which the stream began
        self.stretches: list[Stretch] = []

    async def order(self, *arguments: str | Path) -> tuple[int | None, str]:
        """A command to this box, and how it ends."""
        return await phantom(*arguments, "--state", self._box.state)

    async def done(self, *arguments: str | Path) -> str:
        """A command to this box that does what it is to do."""
        status, said = await self.order(*arguments)
        assert status == 0, said
        return said

    # The board

    @property
    def runs(self) -> tuple[str, str]:
        """Version and slot, as the board tells."""
        (found,) = self._coordinator.updates.boards()["boards"]
        return found["version"], found["slot"]

    async def adopt(self, code: str) -> None:
        """Take the board in, once it is found."""

        def found() -> bool:
            return any(new["id"] == self._board.name for new in self._box.status()["unadopted"])

        await until(found, "the board is found")
        await self.done("adopt", self._board.name, code)
        await self._coordinator.wait("devices", PATIENCE_S, 1)

    async def sent(self) -> int:
        """Until the update under way is on the board, all of it; its bytes."""

        def there() -> bool:
            rows = self._coordinator.updates.job.rows
            return bool(rows) and rows[0].state == "waiting" and rows[0].done == rows[0].of > 0

        async with asyncio.timeout(PATIENCE_S):
            while not there():
                job = self._coordinator.updates.job
                assert job.running or not job.rows, job.as_dict()
                await asyncio.sleep(0.01)
        return self._coordinator.updates.job.rows[0].of

    # The music

    @property
    def _session(self) -> Session:
        (session,) = self._coordinator.playing.sessions.values()
        return session

    @property
    def _start_us(self) -> int:
        assert self._session.stream is not None
        return self._session.stream.start_us

    async def play(self) -> None:
        """The song, until `hold`."""
        await self.done("play", self._music.path)
        told = self._coordinator.rooms.device(self._board.name).properties.values
        await until(lambda: told.get("renderer.state") == "playing", "it sounds")

    async def go_on(self) -> None:
        """The same from where it was held."""
        self._origin = self._session.frame
        await self.done("resume")
        await self.hear(HEARD_S)

    async def hear(self, seconds: float) -> None:
        """Until so much has sounded since it was begun."""
        await asyncio.sleep(max(0.0, (self._start_us - now_us()) / 1e6 + seconds))

    async def hold(self) -> None:
        """Pause. What has sounded until now is to be looked at."""
        begun_us = self._start_us - self._origin * 1_000_000 // RATE
        self.stretches.append(Stretch(Truth(self._music, begun_us), self._start_us, now_us()))
        assert self._session.state == "playing"
        await self.done("pause")


@asynccontextmanager
async def a_home(board: EmulatedBoard, folder: Path) -> AsyncGenerator[Home]:
    """A box that has just been set up, for a house of its own."""
    state = folder / "box"
    # Of this run: boards of other runs on this machine are none of its house.
    house = {"id": secrets.token_hex(8), "key": secrets.token_hex(32), "name": "life"}
    installation.found(state, house)
    music = song(folder, SONG_S)
    address = board.address.rpartition(".")[0] + ".200"
    async with Box(state=state, address=address, clock_port=0) as box:
        yield Home(board, box, music)
        assert not [event for event in box.journal.latest if event["event"] == "fault"]


def test_a_board_is_flashed_adopted_updated_amid_music_and_undoes_what_is_broken(
    board: EmulatedBoard, tmp_path: Path
):
    flash = board.flash_power
    good = bundle_of(tmp_path, NEXT, anew=True)
    bad = bundle_of(tmp_path, BROKEN, device=("import asyncio", "raise ValueError('on purpose')"))

    async def story() -> list[Stretch]:
        code = await flashed(board, tmp_path)
        async with a_home(board, tmp_path) as home:
            await home.adopt(code)
            assert home.runs == (VERSION, "a")

            await home.play()
            written = flash.operations
            update = asyncio.ensure_future(home.order("update", "--all", "--from", good))
            assert await home.sent() > 100_000
            await home.hear(HEARD_S)
            assert flash.operations == written
            await home.hold()
            status, said = await update
            assert status == 0, said
            assert home.runs == (NEXT, "b")

            await home.go_on()
            await home.hold()
            status, said = await home.order("update", "--all", "--from", bad)
            assert status == 1
            assert f"{BROKEN} did not work" in said
            assert "on purpose" in said
            assert f"back on {NEXT}" in said
            assert home.runs == (NEXT, "b")

            await home.go_on()
            await home.hold()
            return home.stretches

    stretches = asyncio.run(story())
    board.stop()
    assert "slot a: it did not come up in 3 attempts" in board.log()
    assert len(stretches) == 3
    for at in stretches:
        assert at.truth.faults(board, audio.BOTH, at.since_us, at.until_us) == []
