"""Espressif's esptool, unmodified, works on the double of a chip's ROM loader.

The chip has no firmware here: a pseudo-terminal, the loader and a flash image. The longest test
writes 1 MB; all of them take some 15 s.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from boards.emulated.rom import CHIPS, FlashFile, Trouble, boot_image
from boards.emulated.rom.bare import MAC, BareChip
from boards.image import standin

PATIENCE = 60.0
SMALL = 60_000
MAC_TEXT = MAC.hex(":")

if find_spec("esptool") is None and not os.environ.get("CI"):
    pytest.skip("needs esptool: make setup-dev installs it", allow_module_level=True)


class Bench:
    """A chip, and esptool to work on it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.flash = FlashFile.blank(folder / "flash.bin")
        self.chip = BareChip(CHIPS[name], self.flash)
        self.offset = CHIPS[name].bootloader_offset
        self.firmware = folder / "firmware.bin"
        self.firmware.write_bytes(standin.micropython(name, application_bytes=SMALL))

    def run(self, *arguments: str | Path, port: str | None = None) -> tuple[int, str]:
        """esptool's exit status and all that it says."""
        command = [sys.executable, "-m", "esptool", "--chip", self.name]
        command += ["--port", port or self.chip.port, *map(str, arguments)]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout

    def good(self, *arguments: str | Path) -> str:
        status, said = self.run(*arguments)
        assert status == 0, said
        return said

    @property
    def written(self) -> bool:
        content = self.firmware.read_bytes()
        return self.flash.read(self.offset, len(content)) == content


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(tmp_path, getattr(request, "param", "esp32c3"))
    with bench.chip:
        yield bench


@pytest.mark.parametrize("bench", sorted(CHIPS), indirect=True)
def test_a_chip_is_written_verified_read_and_erased_through_the_stub(bench: Bench):
    said = bench.good("write-flash", hex(bench.offset), bench.firmware)
    assert "compressed) at" in said
    assert "Hash of data verified." in said
    assert bench.written
    assert boot_image(bench.flash, CHIPS[bench.name]).ok
    assert "Verification successful" in bench.good(
        "verify-flash", hex(bench.offset), bench.firmware
    )
    copy = bench.folder / "copy.bin"
    bench.good("read-flash", "0x8000", "0x3100", copy)
    assert copy.read_bytes() == bench.flash.read(0x8000, 0x3100)
    bench.good("erase-region", "0x10000", "0x1000")
    assert bench.flash.read(0x10000, 0x1000) == b"\xff" * 0x1000
    assert bench.flash.read(0x11000, 16) != b"\xff" * 16
    bench.good("erase-flash")
    assert bench.flash.path.read_bytes() == b"\xff" * bench.flash.size


@pytest.mark.parametrize("bench", sorted(CHIPS), indirect=True)
def test_a_chip_is_written_through_its_rom_alone(bench: Bench):
    for how in ("--no-compress", "--compress"):
        bench.good("--no-stub", "write-flash", how, hex(bench.offset), bench.firmware)
        assert bench.written, how
        bench.flash.erase(0x10000, 0x4000)
    copy = bench.folder / "copy.bin"
    bench.good("--no-stub", "read-flash", "0x8000", "0x210", copy)
    assert copy.read_bytes() == bench.flash.read(0x8000, 0x210)
    status, said = bench.run("--no-stub", "erase-flash")
    assert status != 0
    assert "not support" in said


@pytest.mark.parametrize("bench", sorted(CHIPS), indirect=True)
def test_a_chip_says_what_it_is(bench: Bench):
    said = bench.good("flash-id")
    assert "Manufacturer: ef" in said
    assert "Detected flash size: 4MB" in said
    assert f"MAC:                {MAC_TEXT}" in said
    assert "Crystal frequency:  40MHz" in said
    if bench.name == "esp32":
        assert "ESP32-D0WD-V3 (revision v3.1)" in said
        return  # it has no chip id, and asking it for one takes longest
    assert MAC_TEXT in bench.good("chip-id")  # no chip has one, says esptool, and gives its MAC
    assert MAC_TEXT in bench.good("--no-stub", "read-mac")


def test_a_megabyte_that_does_not_compress_is_written_whole(bench: Bench):
    content = random.Random(4).randbytes(1 << 20)
    (bench.folder / "noise.bin").write_bytes(content)
    bench.good("write-flash", "0x200000", bench.folder / "noise.bin")
    assert bench.flash.read(0x200000, len(content)) == content


@pytest.mark.parametrize("bench", ["esp32s3"], indirect=True)
def test_the_chip_starts_what_was_written_when_the_tool_resets_it(bench: Bench):
    assert bench.chip.boots == 0
    bench.good("--after", "watchdog-reset", "write-flash", "0x0", bench.firmware)
    assert bench.chip.boots == 1


def test_what_does_not_fit_the_chip_is_refused(bench: Bench):
    other = bench.folder / "other.bin"
    other.write_bytes(standin.micropython("esp32s3", application_bytes=SMALL))
    status, said = bench.run("write-flash", "0x0", other)
    assert status != 0
    assert "ESP32-C3" in said
    status, said = bench.run("write-flash", "0x3ff000", bench.firmware)
    assert status != 0
    assert "will not fit" in said
    assert bench.flash.path.read_bytes() == b"\xff" * bench.flash.size


def test_a_worn_cell_fails_the_digest_and_a_line_that_drops_is_mended_by_a_second_run(
    bench: Bench,
):
    bench.flash.stuck = frozenset({0x10800})
    status, said = bench.run("write-flash", "0x0", bench.firmware)
    assert status != 0
    assert "MD5 of file does not match data in flash" in said
    bench.flash.stuck = frozenset()
    bench.chip.trouble = Trouble("drop", "defl-data", nth=3)
    status, _ = bench.run("write-flash", "0x0", bench.firmware)
    assert status != 0
    assert not bench.written
    with BareChip(bench.chip.chip, bench.flash) as again:
        status, said = bench.run("write-flash", "0x0", bench.firmware, port=again.port)
    assert status == 0, said
    assert bench.written
