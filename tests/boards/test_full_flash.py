"""A board whose flash is full plays on, says so, and has room made over the network."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from boards.emulated.board import EmulatedBoard
from phantom.storage import LOW_BYTES
from tests.boards.driver import Driver, wait_for

MakeBoard = Callable[..., EmulatedBoard]
SECTOR = 4096


def test_a_full_flash_is_told_and_emptied_over_the_network(
    make_board: MakeBoard,
) -> None:
    board = make_board(profile="esp32s3", flash_erase_us=0)
    board.start()
    driver = Driver(board.address)
    room = driver.call("storage.list")["result"]["free"]
    assert room > 10 * LOW_BYTES
    board.kill()
    board.edit_flash({"/music.wav": secrets.token_bytes(room - SECTOR)})
    board.start()
    driver = Driver(board.address)
    assert driver.call("device.info")["result"]["codecs"] != []  # it would play
    wait_for("a word on the serial line", lambda: "less than 32 KB of flash" in board.log())
    assert driver.call("storage.list")["result"]["free"] < LOW_BYTES
    told = driver.call("properties.read", names=["device.faults"])["result"]["values"]
    assert "less than 32 KB of flash" in told["device.faults"][0]
    room = driver.call("storage.remove", path="/music.wav")["result"]["free"]
    assert room > 10 * LOW_BYTES
    told = driver.call("properties.read", names=["device.faults"])["result"]["values"]
    assert told["device.faults"] == []
