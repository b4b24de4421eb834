"""esp32.NVS and esp32.Partition of the emulated chip."""

from __future__ import annotations

from collections.abc import Callable

from boards.emulated.board import EmulatedBoard
from boards.image import partitions
from tests.boards.scripted import scripted, told

MakeBoard = Callable[..., EmulatedBoard]

_FIRST = """
    import machine, time
    from esp32 import NVS
    nvs = NVS("phantom")
    def code(action, *arguments):
        try:
            action(*arguments)
        except Exception as e:
            return e.args[-1] if isinstance(e, OSError) else type(e).__name__
    buffer = bytearray(8)
    if machine.reset_cause() == machine.PWRON_RESET:
        tell(
            missing=code(nvs.get_i32, "n"),
            long=code(nvs.set_i32, "k" * 16, 1),
            big=code(nvs.set_i32, "n", 1 << 31),
            erase=code(nvs.erase_key, "n"),
        )
        nvs.set_i32("n", -7)
        nvs.set_blob("b", b"blob")
        NVS("other").set_i32("n", 8)
        nvs.commit()
        nvs.set_i32("n", 99)  # not committed
        machine.reset()
    length = nvs.get_blob("b", buffer)
    tell(
        n=nvs.get_i32("n"),
        other=NVS("other").get_i32("n"),
        blob=bytes(buffer[:length]).decode(),
        short=code(nvs.get_blob, "b", bytearray(3)),
        kind=code(nvs.get_i32, "b"),
        full=code(lambda: (nvs.set_blob("b", bytes(20000)), nvs.commit())),
    )
    if machine.reset_cause() == machine.HARD_RESET:
        nvs.set_blob("b", b"anew")
        for _ in range(3):
            nvs.commit()
        machine.soft_reset()
    time.sleep(60)
"""


def test_nvs_keeps_what_was_committed_and_says_what_is_wrong_as_the_chip_does(
    make_board: MakeBoard,
) -> None:
    board = scripted(make_board, _FIRST, flash_erase_us=0)
    first, second, third = told(board, 3)
    assert first == {
        "missing": "ESP_ERR_NVS_NOT_FOUND",
        "long": "ESP_ERR_NVS_KEY_TOO_LONG",
        "big": "OverflowError",
        "erase": "ESP_ERR_NVS_NOT_FOUND",
    }
    assert second == {
        "n": -7,
        "other": 8,
        "blob": "blob",
        "short": "ESP_ERR_NVS_INVALID_LENGTH",
        "kind": "ESP_ERR_NVS_NOT_FOUND",
        "full": "ESP_ERR_NVS_NOT_ENOUGH_SPACE",
    }
    assert third == second | {"blob": "anew"}


def test_partitions_are_those_of_the_table_and_the_file_systems(make_board: MakeBoard) -> None:
    board = scripted(
        make_board,
        """
        from esp32 import Partition
        running = Partition(Partition.RUNNING)
        vfs = Partition.find(Partition.TYPE_DATA, label="vfs")[0]
        block = bytearray(4096)
        nvs = Partition("nvs")
        nvs.writeblocks(0, b"x" * 4096)
        nvs.writeblocks(0, b"y" * 4096)
        nvs.readblocks(0, block)
        tell(
            running=running.info(),
            vfs=vfs.info(),
            size=vfs.ioctl(4, 0) * vfs.ioctl(5, 0),
            data=[p.info()[4] for p in Partition.find(Partition.TYPE_DATA)],
            block=bytes(block[-2:]).decode(),
        )
        """,
        flash_erase_us=0,
    )
    assert told(board) == [
        {
            "running": [0, 0, 0x10000, 0x1F0000, "factory", False],
            "vfs": [1, 0x81, 0x200000, 0x200000, "vfs", False],
            "size": 2 * partitions.MIB,
            "data": ["nvs", "phy_init", "vfs"],
            "block": "yy",
        }
    ]
