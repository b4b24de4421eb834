"""What `phantom flash` would write, and what it refuses before a byte is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from boards.image import chips, filesystem, standin
from boards.image.partitions import MIB, STOCK, Partition
from tools.flash import catalogue, esptool, plan, release
from tools.flash.faults import FlashFault

APPLICATION_BYTES = 300_000


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return written(tmp_path / "ESP32_GENERIC.bin", standin.micropython("esp32"))


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_the_pieces_cover_the_image_and_every_byte_of_the_file_system(image: Path):
    loaded = release.load(image)
    start, end = plan.region(loaded, 4 * MIB)
    files = filesystem.build(end - start, {"/boot.py": b"1"})
    pieces = plan.pieces(loaded, files, start)
    flash = bytearray(4 * MIB)
    last = 0
    for piece in pieces:
        assert piece.offset >= last
        assert piece.offset % 4096 == 0 == len(piece.data) % 4096
        assert len(piece.data) <= plan.PIECE
        flash[piece.offset : piece.end] = piece.data
        last = piece.end
    assert flash[0x1000 : 0x1000 + len(loaded.data)] == loaded.data
    # Erased blocks too: an older file system's metadata in them could pass for newer.
    assert flash[start:end] == files


def test_what_a_board_changes_by_itself_lies_in_a_piece_of_its_own(image: Path):
    pieces = plan.pieces(release.load(image), b"\xff" * 4096, 2 * MIB)
    edges = {piece.offset for piece in pieces} | {piece.end for piece in pieces}
    assert {0x8000, 0x9000, 0xF000, 0x10000} <= edges  # table, NVS, PHY data, application


def test_an_image_that_is_padded_into_the_file_system_is_cut_there(tmp_path: Path):
    padded = standin.micropython("esp32").ljust(3 * MIB - 0x1000, b"\xff")
    loaded = release.load(written(tmp_path / "padded.bin", padded))
    pieces = plan.pieces(loaded, b"\x01" * 4096, 2 * MIB)
    assert [p.what for p in pieces if p.end > 2 * MIB] == ["file system"]


def test_a_flash_too_small_for_the_layout_is_refused_with_both_sizes(tmp_path: Path, image: Path):
    with pytest.raises(FlashFault, match="flash of 2 MB is too small"):
        plan.region(release.load(image), 2 * MIB)
    table = (*STOCK, Partition("vfs", 1, 0x81, 2 * MIB, 6 * MIB))
    large = written(tmp_path / "8.bin", standin.micropython("esp32", table=table))
    with pytest.raises(FlashFault, match=r"flash of 4 MB is too small: .* ends at 8 MB"):
        plan.region(release.load(large), 4 * MIB)
    with pytest.raises(FlashFault, match=r"has 1 MB of flash, ESP32_GENERIC.bin takes"):
        plan.region(release.load(image), 1 * MIB)


def test_a_whole_image_says_its_chip_and_version(tmp_path: Path):
    for chip in ("esp32", "esp32s3", "esp32c3"):
        file = written(tmp_path / "image.bin", standin.micropython(chip, "1.26.1"))
        loaded = release.load(file)
        assert loaded.chip is chips.CHIPS[chip]
        assert loaded.version == "1.26.1"


WHOLE = standin.micropython("esp32")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html>", "web page"),
        (WHOLE[:900_000], "cut short: 900,000 of"),
        (WHOLE[:22_000], "ends behind its bootloader"),
        (WHOLE[:200_000] + b"\0\0\0\0" + WHOLE[200_004:], "damaged"),
        (standin.application("esp32", size=APPLICATION_BYTES), "application alone"),
        (standin.micropython("esp32", "1.23.0"), "1.23.0 is too old: Phantom needs 1.24"),
    ],
    ids=("empty", "page", "truncated", "bootloader", "damaged", "app-bin", "old"),
)
def test_what_is_no_good_image_is_said_in_one_line(tmp_path: Path, content: bytes, said: str):
    file = written(tmp_path / "spoilt.bin", content)
    with pytest.raises(FlashFault, match=said) as fault:
        release.load(file)
    assert "\n" not in str(fault.value)
    assert "spoilt.bin" in str(fault.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(FlashFault, match=r"nothing.bin: no such file"):
        release.load(tmp_path / "nothing.bin")


def test_a_board_that_nobody_knows_is_refused_with_those_there_are():
    with pytest.raises(FlashFault, match=r"no board .nodemcu.; there are .*esp32_generic,"):
        catalogue.board("nodemcu")
    assert catalogue.board("esp32_generic").chip == "esp32"


def test_an_image_of_another_variant_is_remarked_on(tmp_path: Path):
    board = catalogue.board("esp32_generic_s3")
    for name, odd in (
        ("ESP32_GENERIC_S3-20250415-v1.25.0.bin", True),
        (f"{board.image}-20250415-v1.25.0.bin", False),
        ("my-own.bin", False),
    ):
        assert (catalogue.remark(board.name, board.image, name) is not None) == odd


def test_the_page_for_newcomers_names_each_board_and_its_image():
    page = (Path(__file__).parents[2] / "docs" / "flashing.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name in catalogue.names():
        (row,) = [line for line in rows if line.startswith(f"| `{name}`")]
        assert f"`{catalogue.board(name).image}-…" in row


FLASH_ID = """esptool v5.6.0
Connected to ESP32-S3 on /dev/ttyACM0:
Chip type:          ESP32-S3 (QFN56) (revision v0.2)
Features:           Wi-Fi, BT 5 (LE), Dual Core + LP Core, 240MHz, Embedded PSRAM 8MB (AP_3v3)
Crystal frequency:  40MHz
MAC:                7c:df:a1:a0:b1:c2
Flash Memory Information:
Manufacturer: ef
Device: 4018
Detected flash size: 16MB
"""


def test_the_connected_chip_is_read_from_what_esptool_says():
    found = esptool.parse_identity("/dev/ttyACM0", FLASH_ID)
    assert found.chip is chips.CHIPS["esp32s3"]
    assert found.mac == "7c:df:a1:a0:b1:c2"
    assert found.flash_bytes == 16 * MIB
    with pytest.raises(FlashFault, match="size of its flash"):
        esptool.parse_identity("/dev/ttyACM0", FLASH_ID.replace("16MB", "Unknown"))


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("ESP32-D0WD-V3", "esp32"),
        ("ESP32-PICO-D4", "esp32"),
        ("ESP32", "esp32"),
        ("ESP32-S3", "esp32s3"),
        ("ESP32S3", "esp32s3"),
        ("ESP32-C3", "esp32c3"),
        ("ESP32-H2", None),
        ("ESP8266EX", None),
    ],
)
def test_esptool_names_chips_by_their_package(title: str, name: str | None):
    assert esptool.kind(title) is (chips.CHIPS[name] if name else None)
