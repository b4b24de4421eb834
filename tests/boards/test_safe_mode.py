"""Safe mode on emulated boards: what brings it about, what it says and does, how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from boards.emulated.board import EmulatedBoard
from phantom import manifest
from tests.boards.driver import Driver, wait_for

MakeBoard = Callable[..., EmulatedBoard]
FAST = {"flash_erase_us": 0, "profile": "esp32s3"}


def say(board: EmulatedBoard, method: str, **params: Any) -> None:
    """Call what ends the link."""
    driver = Driver(board.address)
    life = board.pid

    def call() -> None:
        with suppress(KeyError):
            driver.call(method, **params)

    threading.Thread(target=call, daemon=True).start()
    wait_for("the next life", lambda: board.pid not in (None, life))


def info(board: EmulatedBoard) -> dict[str, Any]:
    return Driver(board.address).call("device.info")["result"]


def faults(board: EmulatedBoard) -> list[str]:
    answer = Driver(board.address).call("properties.read", names=["device.faults"])
    return answer["result"]["values"]["device.faults"]


def test_safe_mode_that_was_asked_for_tells_serves_and_ends_with_a_restart(
    make_board: MakeBoard,
) -> None:
    board = make_board(files={"/music.wav": b"x" * 5000}, **FAST)
    board.start()
    assert "mode" not in info(board)
    say(board, "device.restart", safe=True)
    told = info(board)
    assert (told["mode"], told["id"], told["codecs"]) == ("safe", "kitchen", [])
    assert "loader: safe mode: asked" in board.log()
    driver = Driver(board.address)
    assert "safe mode, asked" in driver.call("renderer.open", stream=1)["error"]["message"]
    assert driver.call("storage.list")["result"]["files"]["music.wav"] == 5000
    assert "belongs to" in driver.call("storage.remove", path="//a/./manifest")["error"]["message"]
    assert "result" in driver.call("storage.remove", path="/music.wav")
    assert "music.wav" not in driver.call("storage.list")["result"]["files"]
    say(board, "device.restart")
    assert "mode" not in info(board)


def test_a_board_whose_code_is_in_its_image_takes_no_update_in_safe_mode_either(
    make_board: MakeBoard,
) -> None:
    board = make_board(**FAST)
    board.flash()
    # What is found where no loader looks stands for what an image has.
    slot = manifest.parse(board.flash_file("/a/manifest") or b"")
    image = {f"/lib/{name}": board.flash_file(f"/a/{name}") for _, _, name in slot.files}
    board.edit_flash({**image, "/a/manifest": None, "/safe/manifest": None})
    board.start()
    assert "mode" not in info(board)
    say(board, "device.restart", safe=True)
    assert info(board)["mode"] == "safe"
    driver = Driver(board.address)
    told = driver.call("properties.read", names=["update.slot"])["result"]["values"]
    assert told == {"update.slot": "frozen"}
    assert "`phantom flash`" in driver.call("update.begin")["error"]["message"]


# A module in source goes before the compiled one beside it.
def _running(code: str) -> dict[str, str]:
    return {"/a/phantom/device.py": f"def main(boot):\n    {code}\n"}


def test_code_that_crashes_again_and_again_ends_in_safe_mode_that_tells_how(
    make_board: MakeBoard,
) -> None:
    board = make_board(files=_running("raise RuntimeError('bang')"), **FAST)
    board.start()
    driver = Driver(board.address)
    assert driver.call("device.info")["result"]["mode"] == "safe"
    assert board.log().count("RuntimeError: bang") == 3
    assert "loader: safe mode: crash-loop" in board.log()
    assert driver.call("device.log")["result"]["text"].endswith("RuntimeError: bang\n")
    assert faults(board) == ["slot a: it did not come up in 3 attempts"]
    board.kill()
    board.edit_flash({"/a/phantom/device.py": None})
    board.start()  # what was counted went with the power
    assert "mode" not in info(board)


def test_code_that_stands_still_again_and_again_ends_in_safe_mode(make_board: MakeBoard) -> None:
    hang = "import loader; loader.WATCHDOG_MS = 100; boot.watch()\n    while True: pass"
    board = make_board(files=_running(hang), **FAST)
    board.start()
    assert info(board)["mode"] == "safe"
    assert board.log().count("the watchdog bites") == 3
    assert "loader: safe mode: watchdog" in board.log()


def test_a_code_file_that_is_damaged_sends_the_only_slot_to_safe_mode(
    make_board: MakeBoard,
) -> None:
    board = make_board(**FAST)
    board.flash()
    code = bytearray(board.flash_file("/a/phantom/chime.mpy") or b"")
    code[len(code) // 2] ^= 1
    board.start()
    board.kill()
    board.edit_flash({"/a/phantom/chime.mpy": bytes(code)})
    board.start()
    assert info(board)["mode"] == "safe"
    assert faults(board) == ["slot a: phantom/chime.mpy is damaged"]
    assert "loader: safe mode: damaged-code" in board.log()


def test_a_damaged_spare_is_told_and_mended_while_the_board_plays_on(
    make_board: MakeBoard,
) -> None:
    board = make_board(**FAST)
    board.flash()
    whole = {name: board.flash_file(name) for name in ("/safe/phantom/rpc.mpy", "/loader.mpy")}
    board.start()
    board.kill()
    board.edit_flash(dict.fromkeys(whole, b"damaged"))
    board.start()
    wait_for("mending", lambda: board.log().count("is mended") == 2, 20)
    assert "loader is damaged" in board.log()
    driver = Driver(board.address)
    told = driver.call("properties.read", names=["device.faults"])["result"]["values"]
    assert told["device.faults"] == ["/loader.mpy is damaged", "/safe is damaged"]
    assert "mode" not in driver.call("device.info")["result"]
    board.kill()
    assert {name: board.flash_file(name) for name in whole} == whole
