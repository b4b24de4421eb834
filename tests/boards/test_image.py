"""What is written to a board: the partition table, the file system, which files."""

from __future__ import annotations

from pathlib import Path

import pytest

from boards.image import chips, filesystem, firmware, flash, partitions
from boards.image.filesystem import FilesystemError
from boards.image.partitions import MIB, STOCK, Partition, PartitionError

REGION = 64 * 4096


def test_a_table_is_read_as_it_was_built():
    assert partitions.parse(partitions.build(STOCK)) == list(STOCK)


def test_a_damaged_table_an_empty_one_and_another_file_are_told_apart():
    table = bytearray(partitions.build(STOCK))
    table[40] ^= 1
    with pytest.raises(PartitionError, match="MD5"):
        partitions.parse(bytes(table))
    with pytest.raises(PartitionError, match="empty"):
        partitions.parse(b"\xff" * partitions.TABLE_BYTES)
    with pytest.raises(PartitionError, match="no entry"):
        partitions.parse(b"#!/bin/sh\n" * 100)


def test_the_file_system_takes_what_the_last_partition_leaves():
    assert partitions.vfs_region(4 * MIB) == (2 * MIB, 4 * MIB)
    assert partitions.vfs_region(8 * MIB) == (2 * MIB, 8 * MIB)
    ota = [*STOCK[:2], Partition("ota_0", 0, 0x10, 0x10000, 0x180000)]
    ota.append(Partition("ota_1", 0, 0x11, 0x190000, 0x180000))
    assert partitions.vfs_region(4 * MIB, ota) == (0x310000, 4 * MIB)


def test_a_partition_that_is_called_vfs_is_the_file_system():
    table = [*STOCK, Partition("vfs", 1, 0x81, 2 * MIB, MIB)]
    assert partitions.vfs_region(4 * MIB, table) == (2 * MIB, 3 * MIB)


def test_a_chip_too_small_for_the_layout_is_refused_with_both_sizes():
    with pytest.raises(PartitionError, match=r"flash of 2 MB is too small: .* end at 2 MB"):
        partitions.vfs_region(2 * MIB)
    with pytest.raises(PartitionError, match="flash of 2 MB is too small"):
        partitions.vfs_region(2 * MIB, [*STOCK, Partition("vfs", 1, 0x81, 2 * MIB, MIB)])


def test_a_fat_file_system_is_refused():
    with pytest.raises(PartitionError, match="FAT"):
        partitions.vfs_region(16 * MIB, [*STOCK, Partition("ffat", 1, 0x81, 2 * MIB, MIB)])


def test_files_are_read_changed_and_deleted():
    region = filesystem.build(REGION, {"/a/b/c.mpy": b"\x00\x01", "device.json": {"id": "x"}})
    assert len(region) == REGION
    assert filesystem.names(region) == ["/a/b/c.mpy", "/device.json"]
    assert filesystem.read(region, "a/b/c.mpy") == b"\x00\x01"
    assert filesystem.read(region, "/device.json") == b'{"id": "x"}'
    region = filesystem.edit(region, {"/device.json": "text", "/a/b/c.mpy": None})
    assert filesystem.names(region) == ["/device.json"]
    assert filesystem.read(region, "/device.json") == b"text"
    assert filesystem.read(region, "/nothing") is None


def test_the_same_files_give_the_same_image():
    files = {f"/lib/{number}.mpy": bytes([number]) * 5000 for number in range(9)}
    assert filesystem.build(REGION, files) == filesystem.build(REGION, files)


def test_what_does_not_fit_and_what_is_no_file_system_are_refused():
    with pytest.raises(FilesystemError, match="too small"):
        filesystem.build(REGION, {"/big": bytes(REGION)})
    with pytest.raises(FilesystemError, match="not littlefs"):
        filesystem.read(b"\xff" * REGION, "/boot.py")


def test_a_chip_has_its_files_where_its_table_leaves_room(tmp_path: Path):
    image = tmp_path / "flash.bin"
    flash.build(image, {"/boot.py": b"1"}, flash_bytes=8 * MIB)
    assert image.stat().st_size == 8 * MIB
    assert flash.region(image.read_bytes()) == (2 * MIB, 8 * MIB)
    flash.edit(image, {"boot.py": b"2"})
    assert flash.read(image, "boot.py") == b"2"
    assert flash.read(image, "main.py") is None


def test_a_board_gets_compiled_modules_and_nothing_that_only_a_pc_runs(tmp_path: Path):
    compiled = firmware.compile_firmware(tmp_path, "xtensawin")
    files = firmware.files_of(compiled, "xtensawin")
    assert {"/boot.py", "/main.py"} <= set(files)
    names = {Path(name).name for name in files if name.endswith(".mpy")}
    assert {"device.mpy", "board.mpy", "dsp.mpy"} <= names
    assert not {"pc.mpy", "cpython.mpy"} & names
    # Version 6.3 of the format, native code of Xtensa: what sys.implementation._mpy says there.
    dsp = next(content for name, content in files.items() if name.endswith("/dsp.mpy"))
    assert dsp[:3] == bytes([ord("M"), 6, 10 << 2 | 3])


def test_a_board_with_phantom_in_its_image_gets_only_what_starts_it(tmp_path: Path):
    compiled = firmware.compile_firmware(tmp_path, "xtensawin")
    files = firmware.files_of(compiled, "xtensawin", frozen=True)
    assert set(files) == {"/boot.py", "/main.py", "/loader.mpy", "/loader2.mpy"}


def test_a_chip_is_known_by_the_id_in_its_images():
    assert chips.by_image_id(9) is chips.CHIPS["esp32s3"]
    assert chips.by_image_id(0x777) is None
