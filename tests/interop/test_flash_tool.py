"""`phantom flash` with esptool as it is published, on chips with nothing but their mask ROM."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from boards.emulated.rom import CHIPS, FlashFile, Trouble
from boards.emulated.rom.bare import BareChip
from boards.image import flash as whole
from boards.image import standin
from boards.image.partitions import MIB, STOCK, SUBTYPE_FACTORY, TYPE_APP, TYPE_DATA, Partition
from storagebox import installation
from tools.flash import esptool, flashing
from tools.flash.catalogue import board
from tools.flash.faults import FlashFault
from tools.flash.flashing import Flashed, Job
from tools.flash.identity import Identity
from tools.flash.steps import Steps
from tools.flash.wifi import Wifi

pytest.importorskip("esptool", reason="esptool is missing: install Phantom's extra `boards`")

# As in MicroPython 1.24, with a partition for the file system; enough for several pieces.
APPLICATION_BYTES = 300_000
TABLE = (
    *STOCK[:2],
    Partition("factory", TYPE_APP, SUBTYPE_FACTORY, 0x10000, 0x70000),
    Partition("vfs", TYPE_DATA, 0x81, 0x80000, 0xC0000),
)
BOARDS = {"esp32": "esp32_generic", "esp32s3": "esp32_generic_s3", "esp32c3": "esp32_generic_c3"}

MakeChip = Callable[..., BareChip]
MakeJob = Callable[..., Job]


@pytest.fixture
def make_chip(tmp_path: Path) -> Iterator[MakeChip]:
    chips: list[BareChip] = []

    def make(kind: str = "esp32", size: int = 4 * MIB, stuck: frozenset[int] = frozenset()):
        flash = FlashFile.blank(tmp_path / f"flash-{len(chips)}.bin", size)
        flash.stuck = stuck
        chips.append(BareChip(CHIPS[kind], flash))
        chips[-1].start()
        return chips[-1]

    yield make
    for chip in chips:
        chip.stop()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Firmware compiled once for all tests."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture
def job(compiled: Path) -> MakeJob:
    def make(chip: BareChip, file: Path, kind: str = "esp32", **changed: Any) -> Job:
        terms: dict[str, Any] = {
            "port": chip.port,
            "board": BOARDS[kind],
            "chip": kind,
            "facts": board(BOARDS[kind]).facts,
            "image": board(BOARDS[kind]).image,
            "firmware": str(file),
            "identity": Identity("kitchen", "Kitchen", Wifi("home", "secret12")),
            "watch_seconds": 0,
            "compiled": compiled,
        }
        return Job(**(terms | changed))

    return make


def firmware(folder: Path, chip: str = "esp32", table: Sequence[Partition] = TABLE) -> Path:
    file = folder / f"{chip}.bin"
    file.write_bytes(standin.micropython(chip, application_bytes=APPLICATION_BYTES, table=table))
    return file


def done(order: Job) -> Flashed:
    return flashing.flash(order, Steps(shown=False))


@pytest.mark.parametrize("kind", sorted(BOARDS))
def test_a_bare_chip_is_flashed_and_holds_everything(
    kind: str, make_chip: MakeChip, job: MakeJob, tmp_path: Path
):
    chip = make_chip(kind)
    file = firmware(tmp_path, kind)
    order = job(chip, file, kind, read_back=kind == "esp32c3")
    flashed = done(order)
    content = chip.flash.path.read_bytes()
    base = flashed.release.chip.bootloader_offset
    assert content[base : base + file.stat().st_size] == file.read_bytes()
    assert whole.read(chip.flash.path, "/boot.py")
    facts = json.loads(whole.read(chip.flash.path, "/board.json") or b"")
    assert facts == board(BOARDS[kind]).facts
    device = json.loads(whole.read(chip.flash.path, "/device.json") or b"")
    assert device == {
        "id": "kitchen",
        "name": "Kitchen",
        "wifi": {"ssid": "home", "key": "secret12"},
    }
    told = flashed.as_json(order)
    assert told["flash_bytes"] == 4 * MIB
    assert told["micropython"] == "1.25.0"
    assert told["mac"] == "7c:df:a1:a0:b1:c2"


def test_an_interrupted_flash_is_resumed_by_repeating(
    make_chip: MakeChip, job: MakeJob, tmp_path: Path
):
    chip = make_chip()
    order = job(chip, firmware(tmp_path))
    # As Ctrl-C would, after the third piece.
    written: list[int] = []

    def interrupt(piece: Any, skipped: bool) -> None:
        written.append(piece.offset)
        if len(written) == 3:
            raise KeyboardInterrupt

    real = esptool.write

    def cut_short(*arguments: Any) -> None:
        real(*arguments[:5], interrupt, arguments[6])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(esptool, "write", cut_short)
        with pytest.raises(KeyboardInterrupt):
            done(order)
    resumed = done(order)
    assert resumed.skipped > 0
    assert resumed.written > 0
    again = done(order)
    assert again.written == 0
    assert again.skipped == resumed.skipped + resumed.written


def test_another_chip_than_the_boards_is_refused_before_anything_is_written(
    make_chip: MakeChip, job: MakeJob, tmp_path: Path
):
    chip = make_chip("esp32s3")
    with pytest.raises(FlashFault, match=r"is an ESP32-S3.*, but esp32_generic has an ESP32"):
        done(job(chip, firmware(tmp_path)))
    with pytest.raises(FlashFault, match=r"image for ESP32, but esp32_generic_s3 has ESP32-S3"):
        done(job(chip, firmware(tmp_path), "esp32s3"))
    assert set(chip.flash.path.read_bytes()) == {0xFF}


def test_a_flash_too_small_is_refused_before_anything_is_written(
    make_chip: MakeChip, job: MakeJob, tmp_path: Path
):
    chip = make_chip(size=2 * MIB)
    with pytest.raises(FlashFault, match="flash of 2 MB is too small"):
        done(job(chip, firmware(tmp_path, table=STOCK)))
    tight = (*TABLE[:3], Partition("vfs", TYPE_DATA, 0x81, 0x80000, 0x10000))
    with pytest.raises(FlashFault, match=r"not enough flash: .* 0.0625 MB are too small for what"):
        done(job(chip, firmware(tmp_path, table=tight)))
    assert set(chip.flash.path.read_bytes()) == {0xFF}


def test_a_byte_that_the_flash_does_not_hold_is_found(
    make_chip: MakeChip, job: MakeJob, tmp_path: Path
):
    chip = make_chip(stuck=frozenset((0x20000,)))
    with pytest.raises(FlashFault, match="not what the flash holds"):
        done(job(chip, firmware(tmp_path)))


def test_a_silent_chip_and_a_broken_connection_are_told_apart(make_chip: MakeChip):
    chip = make_chip()
    chip.trouble = Trouble("silence", "sync")
    with pytest.raises(FlashFault, match="the board is silent: hold its BOOT"):
        esptool.identify(chip.port, attempts=1)
    other = make_chip()
    other.trouble = Trouble("drop", "mem-data")
    with pytest.raises(FlashFault, match="connection broke off"):
        esptool.identify(other.port, attempts=1)


def phantom(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "storagebox.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_flashes_a_board_of_this_machines_house(make_chip: MakeChip, tmp_path: Path):
    chip = make_chip()
    state = tmp_path / "state"
    member = installation.start(state, "Our home")
    password = tmp_path / "password"
    password.write_text("secret12\n")
    arguments = ("flash", "--board", "esp32_generic", "--port", chip.port)
    arguments += ("--firmware", firmware(tmp_path), "--state", state, "--name", "Kitchen")
    arguments += ("--ssid", "home", "--wifi-password-file", password, "--watch", "0")
    flashed = phantom(*arguments)
    assert flashed.returncode == 0, flashed.stderr
    steps = [line.split()[:2] for line in flashed.stdout.splitlines()[:4]]
    assert steps == [["✓", name] for name in ("image", "chip", "firmware", "write")]
    house = json.loads(whole.read(chip.flash.path, "/installation.json") or b"")
    assert house == {
        "id": member.installation.hex(),
        "key": member.key.hex(),
        "name": "Our home",
    }
    assert "secret12" not in flashed.stdout + flashed.stderr
