"""Boards whose codec or amplifier is behind I2C: they play, and do without it if it is away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from boards import catalogue
from boards.emulated import capture
from boards.emulated.board import EmulatedBoard
from phantom.wire import RATE
from tests.boards.driver import ClockServer, Driver, wait_for
from tests.boards.scripted import scripted, told

MakeBoard = Callable[..., EmulatedBoard]

_COUNTER = (np.arange(RATE) % 20000 + 1).astype(np.int16)


def _play(board: EmulatedBoard, clock: ClockServer) -> tuple[Driver, np.ndarray]:
    """A fifth of a second of a count, and what of it came out of the loudspeaker."""
    driver = Driver(board.address)
    driver.call("device.clock", port=clock.port)
    wait_for("house time", lambda: driver.reports and driver.reports[-1]["clock_samples"] > 12)
    start = driver.open()
    driver.feed(start, _COUNTER[: RATE // 5, None])
    return driver, capture.load(board.capture_path)[-1].pcm().reshape(-1, 2)[:, 0]


@pytest.mark.parametrize("name", ["louder_esp32", "esp32_s3_box_3"])
def test_a_board_with_a_chip_behind_i2c_is_heard(
    make_board: MakeBoard, clock_server: ClockServer, name: str
) -> None:
    kind = catalogue.board(name)
    board = make_board(profile=name)
    board.start()
    driver, left = _play(board, clock_server)
    assert len(left) > RATE // 6
    assert set(np.unique(left[left > 0])) <= set(_COUNTER)
    info = driver.call("device.info")["result"]
    assert info["board"] == name
    assert (info["codec"], info["lead_ms"]) == (kind.codec, kind.lead_ms)
    assert info["dac_channels"] == kind.dac.channels
    assert driver.reports[-1]["underruns"] == 0


def test_a_board_whose_amplifier_is_away_says_so_and_plays_unheard(
    make_board: MakeBoard, clock_server: ClockServer
) -> None:
    board = make_board(profile="louder_esp32", control_fitted=False)
    board.start()
    driver, left = _play(board, clock_server)
    assert len(left) == 0
    assert driver.reports[-1]["played_blocks"] > 0
    faults = driver.call("properties.observe")["result"]["values"]["device.faults"]
    assert faults == [
        "tas5805m: nothing answers at I2C address 0x2d: see to its supply and its wires"
    ]


_PINS = """
    from machine import I2C, Pin
    def scan(**wires):
        return I2C(0, freq=100000, **{name: Pin(pin) for name, pin in wires.items()}).scan()
    found = [scan(scl=18, sda=8), scan(scl=8, sda=18)]
    try:
        I2C(0, scl=Pin(18), sda=Pin(8)).readfrom_mem(0x40, 0, 1)
    except OSError as error:
        found.append(error.errno)
    tell(found=found)
"""


def test_only_the_right_pins_and_address_are_answered(make_board: MakeBoard) -> None:
    board = scripted(make_board, _PINS, profile="esp32_s3_box_3")
    assert told(board)[-1]["found"] == [[0x18], [], 19]


_LOAD = """
    import sys
    sys.path.append("/a")
    from phantom import device, provision
    board, decided, faults = provision.load("c0ffee")
    device.Device(board, decided)
    tell(loaded=sorted(n for n in sys.modules if "codecs" in n or "i2c" in n))
"""


def test_only_a_board_with_such_a_chip_loads_its_driver(make_board: MakeBoard) -> None:
    loaded = [
        told(scripted(make_board, _LOAD, name=profile, profile=profile))[-1]["loaded"]
        for profile in ("esp32s3", "louder_esp32")
    ]
    assert loaded == [[], ["_i2c", "phantom.codecs", "phantom.codecs.tas5805m"]]
