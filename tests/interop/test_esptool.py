"""Espressif's esptool, unmodified, works on the double of a chip's ROM loader.

The chip has no firmware here: a pseudo-terminal, the loader and a flash image. The longest test
writes 1 MB; all of them take some 20 s.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from boards.emulated.rom import CHIPS, FlashFile, Trouble, boot_image
from boards.emulated.rom.bare import MAC, BareChip
from boards.emulated.rom.rfc2217 import NetworkPort
from boards.image import standin

PATIENCE = 60.0
SMALL = 60_000
MAC_TEXT = MAC.hex(":")
ODD = random.Random(2217).randbytes(1500)

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
        done = subprocess.run(
            self.command(*arguments, port=port),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return done.returncode, done.stdout

    def command(self, *arguments: str | Path, port: str | None = None) -> list[str]:
        start = [sys.executable, "-m", "esptool", "--chip", self.name]
        return [*start, "--port", port or self.chip.port, *map(str, arguments)]

    def good(self, *arguments: str | Path) -> str:
        status, said = self.run(*arguments)
        assert status == 0, said
        return said

    @property
    def written(self) -> bool:
        content = self.firmware.read_bytes()
        return self.flash.read(self.offset, len(content)) == content


class OnNetwork:
    """Two chips on network ports, which two tools work on while the other tests run.

    esptool waits 0.2 s with every command there, 18 s in all, for the port's settings.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "odd.bin").write_bytes(ODD)
        self.flash = FlashFile.blank(folder / "flash.bin")
        self._ports = [NetworkPort(CHIPS["esp32c3"], self.flash) for _ in range(2)]
        write = ["write-flash", "--no-compress", "0x8000", str(folder / "odd.bin")]
        self._tools: list[subprocess.Popen[str]] = []
        for port, command in zip(self._ports, (write, ["flash-id"]), strict=True):
            port.__enter__()
            line = [sys.executable, "-m", "esptool", "--chip", "esp32c3", "--port", port.url]
            tool = subprocess.Popen(
                [*line, "--no-stub", *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self._tools.append(tool)

    def wait(self) -> list[str]:
        """What the tools said."""
        said = [tool.communicate(timeout=PATIENCE)[0] for tool in self._tools]
        assert [tool.returncode for tool in self._tools] == [0, 0], "\n".join(said)
        end = time.monotonic() + PATIENCE
        while any(len(port.starts) < 2 for port in self._ports):  # EN rises after the tool ends
            assert time.monotonic() < end, self.starts
            time.sleep(0.02)
        return said

    @property
    def starts(self) -> list[list[str]]:
        return [list(port.starts) for port in self._ports]

    def end(self) -> None:
        for tool in self._tools:
            tool.kill()
            tool.wait()
        for port in self._ports:
            port.__exit__()


@pytest.fixture(scope="module", autouse=True)
def on_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnNetwork]:
    network = OnNetwork(tmp_path_factory.mktemp("network"))
    yield network
    network.end()


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


def test_a_worn_cell_fails_the_digest(bench: Bench):
    bench.flash.stuck = frozenset({0x10800})
    status, said = bench.run("write-flash", "0x0", bench.firmware)
    assert status != 0
    assert "MD5 of file does not match data in flash" in said


def test_a_write_that_lost_its_line_is_mended_by_a_second_one(bench: Bench):
    bench.flash.program(0, b"\0" * 0x20000)
    bench.chip.trouble = Trouble("drop", "defl-data", nth=4)
    tool = subprocess.Popen(
        bench.command("write-flash", "0x0", bench.firmware), stdout=subprocess.DEVNULL
    )
    end = time.monotonic() + PATIENCE
    while not bench.chip.dropped:
        assert time.monotonic() < end
        time.sleep(0.01)
    tool.kill()  # it would wait 7 s for the chip to come back
    tool.wait()
    content = bench.firmware.read_bytes()
    assert bench.flash.read(0, 0x4000) == content[:0x4000]
    assert bench.flash.read(0x1F000, 0x1000) == b"\0" * 0x1000  # nobody came so far
    with BareChip(bench.chip.chip, bench.flash) as again:
        status, said = bench.run("write-flash", "0x0", bench.firmware, port=again.port)
    assert status == 0, said
    assert bench.written


def test_dtr_and_rts_reset_the_chip_into_its_loader_and_out_of_it(on_network: OnNetwork):
    for said in on_network.wait():
        assert "Hard resetting via RTS pin" in said
    assert "Manufacturer: ef" in said
    assert on_network.starts == [["download", "run"]] * 2
    assert on_network.flash.read(0x8000, len(ODD)) == ODD
