"""What a chip boots from its flash, and what it says when there is nothing to boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from boards.emulated.rom import CHIPS, FlashFile, boot_image, boot_log, download_log
from boards.image import espimage, partitions, standin
from boards.image.partitions import MIB, STOCK, Partition

APP_AT = 0x10000
SMALL = 60_000


def flashed(path: Path, chip: str, made_for: str | None = None) -> FlashFile:
    flash = FlashFile.blank(path / "flash.bin", 4 * MIB)
    flash.program(
        CHIPS[chip].bootloader_offset,
        standin.micropython(made_for or chip, application_bytes=SMALL),
    )
    return flash


def overwrite(flash: FlashFile, at: int, data: bytes) -> None:
    content = bytearray(flash.path.read_bytes())
    content[at : at + len(data)] = data
    flash.path.write_bytes(content)


@pytest.mark.parametrize("chip", sorted(CHIPS))
def test_a_flashed_chip_starts_its_application(chip: str, tmp_path: Path):
    result = boot_image(flashed(tmp_path, chip), CHIPS[chip])
    assert (result.ok, result.message) == (True, "")
    assert result.app is not None
    assert result.app.offset == APP_AT
    assert result.image is not None
    assert result.image.version == "v1.25.0"


@pytest.mark.parametrize("chip", sorted(CHIPS))
def test_a_blank_chip_says_so_again_and_again(chip: str, tmp_path: Path):
    result = boot_image(FlashFile.blank(tmp_path / "flash.bin", 4 * MIB), CHIPS[chip])
    assert not result.ok
    assert set(result.message.splitlines()) == {"invalid header: 0xffffffff"}


def test_a_bootloader_that_a_tool_set_the_flash_size_in_still_starts(tmp_path: Path):
    flash = flashed(tmp_path, "esp32")
    overwrite(flash, 0x1003, b"\x3f")  # 8 MB; its SHA-256 is wrong now
    assert boot_image(flash, CHIPS["esp32"]).ok


@pytest.mark.parametrize(
    ("at", "data", "said"),
    [
        (0x1000, b"\xe8", "invalid header: 0x2f0203e8"),
        (0x1100, b"\0\0\0\0\0", "csum err:0x"),
        (0x8000, b"\xff" * 64, "E flash_parts: partition 0 invalid magic number 0xffff"),
        (0x8005, b"\x77", "E flash_parts: Incorrect MD5 checksum"),
        (APP_AT, b"\xff", "E esp_image: image at 0x10000 has invalid magic byte"),
        (APP_AT + 0x3000, b"\0\0\0\0\0", "E esp_image: Checksum failed."),
        (APP_AT + 20, b"\x55", "E esp_image: Image hash failed - image is corrupt"),
        (APP_AT + 28, b"\xff\xff\xff\x7f", "E esp_image: invalid segment length 0x7fffffff"),
        (APP_AT + 28, b"\xfc\xff\x3f\x00", "E esp_image: Image length"),
    ],
)
def test_what_is_damaged_is_said_in_the_chips_own_words(
    at: int, data: bytes, said: str, tmp_path: Path
):
    flash = flashed(tmp_path, "esp32")
    overwrite(flash, at, data)
    result = boot_image(flash, CHIPS["esp32"])
    assert not result.ok
    assert said in result.message
    assert result.message.endswith("\r\n")
    if at >= APP_AT:
        assert "E boot: Factory app partition is not bootable" in result.message


def test_another_chips_image_does_not_start(tmp_path: Path):
    wrong = boot_image(flashed(tmp_path, "esp32c3", "esp32s3"), CHIPS["esp32c3"])
    assert "Invalid chip id. Expected 5 read 9." in wrong.message
    wrong = boot_image(flashed(tmp_path, "esp32", "esp32"), CHIPS["esp32"])
    assert wrong.ok
    flash = flashed(tmp_path, "esp32")
    overwrite(flash, APP_AT, standin.application("esp32s3", size=SMALL))
    assert "mismatch chip ID, expected 0, found 9" in boot_image(flash, CHIPS["esp32"]).message


def test_an_image_for_a_newer_chip_does_not_start(tmp_path: Path):
    flash = flashed(tmp_path, "esp32c3")
    newer = espimage.build(5, [(0x3C120020, espimage.describe("micropython", "v2"))], 0, 101)
    overwrite(flash, APP_AT, newer)
    message = boot_image(flash, CHIPS["esp32c3"]).message
    assert "Image requires chip rev >= v1.1, but chip is v0.4" in message


def test_a_table_for_a_larger_flash_does_not_start(tmp_path: Path):
    flash = flashed(tmp_path, "esp32")
    large = [*STOCK, Partition("vfs", 1, 0x81, 2 * MIB, 6 * MIB)]
    overwrite(flash, partitions.TABLE_OFFSET, partitions.build(large))
    assert "exceeds flash chip size 0x400000" in boot_image(flash, CHIPS["esp32"]).message


def test_a_table_with_two_slots_starts_the_first(tmp_path: Path):
    flash = flashed(tmp_path, "esp32")
    slots = [*STOCK[:2], Partition("ota_1", 0, 0x11, 0x190000, 0x180000)]
    slots.append(Partition("ota_0", 0, 0x10, APP_AT, 0x180000))
    overwrite(flash, partitions.TABLE_OFFSET, partitions.build(slots))
    assert boot_image(flash, CHIPS["esp32"]).app == slots[-1]
    overwrite(flash, partitions.TABLE_OFFSET, partitions.build(STOCK[:2]))
    assert "No bootable app partitions" in boot_image(flash, CHIPS["esp32"]).message


@pytest.mark.parametrize("chip", sorted(CHIPS))
def test_the_rom_tells_how_it_was_strapped(chip: str):
    assert "SPI_FAST_FLASH_BOOT" in boot_log(CHIPS[chip], "software")
    assert download_log(CHIPS[chip]).endswith("waiting for download\r\n")
