"""`phantom boards`, `provision`, `repl`, `logs` with mpremote as it is, on an emulated board."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from boards.emulated.board import EmulatedBoard
from boards.emulated.rom import CHIPS, FlashFile
from boards.emulated.rom.bare import BareChip
from phantom import VERSION
from storagebox.cli.ending import INTERRUPTED
from tests.boards.driver import wait_for
from tools.flash import following, joining, listing, mpremote, ports, provisioning
from tools.flash.faults import FlashFault
from tools.flash.identity import Identity
from tools.flash.line import Line
from tools.flash.wifi import Wifi

pytest.importorskip("mpremote", reason="mpremote is missing: install Phantom's extra `boards`")

PHANTOM = (sys.executable, "-m", "storagebox.cli")
HOUSE = {"id": "0a" * 8, "key": "0b" * 32, "name": "Our home"}
# The board says something and is interrupted like one that plays.
MAIN = """
import time
print("main runs")
while True:
    time.sleep_ms(20)
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, micropython: str) -> Iterator[EmulatedBoard]:
    os.environ["PHANTOM_MICROPYTHON"] = micropython
    board = EmulatedBoard(
        "kitchen",
        tmp_path_factory.mktemp("boards"),
        room="Kitchen",
        serial=True,
        flash_erase_us=0,
        files={"main.py": MAIN},
        wifis={"home": "secret12"},
        device={"wifi": {"ssid": "home", "key": "secret12"}},
    )
    board.start()
    yield board
    board.stop()


@pytest.fixture
def running(board: EmulatedBoard) -> EmulatedBoard:
    """The board, once main.py runs."""
    wait_for("main.py", lambda: board.log().rstrip().endswith("main runs"))
    return board


def stored(board: EmulatedBoard, name: str) -> dict[str, object]:
    content = board.flash_file(name)
    assert content is not None
    return json.loads(content.splitlines()[0])


def test_a_board_of_ours_tells_all_and_goes_on(running: EmulatedBoard):
    starts = running.log().count("main runs")
    (row,) = listing.look([running.port])
    assert (row.state, row.why) == ("phantom", "")
    assert (row.chip, row.micropython, row.phantom) == ("ESP32", "1.25.0", VERSION)
    assert (row.board, row.id, row.name) == ("esp32_generic", "kitchen", "Kitchen")
    assert row.flash_bytes == 4 << 20
    assert row.free_bytes is not None
    assert 0 < row.free_bytes < 2 << 20
    wait_for("its next start", lambda: running.log().count("main runs") > starts)


def test_a_bare_chip_and_a_silent_port_are_rows_too(tmp_path: Path):
    flash = FlashFile.blank(tmp_path / "flash.bin")
    with BareChip(CHIPS["esp32c3"], flash) as chip:
        (row,) = listing.look([chip.port])
    assert (row.state, row.mac) == ("bare", "7c:df:a1:a0:b1:c2")
    assert row.chip is not None
    assert row.chip.startswith("ESP32-C3")
    assert row.why == "no MicroPython answers: `phantom flash`"


def test_name_and_house_are_changed_in_two_copies(running: EmulatedBoard):
    before = stored(running, "device.json")
    settled = provisioning.settle(running.port, Identity(name="Living room").of(HOUSE))
    assert (settled.name, settled.id, settled.house) == ("Living room", "kitchen", "Our home")
    after = stored(running, "device.json")
    assert after == before | {"name": "Living room"}
    assert stored(running, "device.json.old") == before
    assert stored(running, "installation.json") == HOUSE
    left = provisioning.settle(running.port, Identity(), new=True)
    assert left.house is None
    for name in ("installation.json", "installation.json.old"):
        assert HOUSE["key"] not in (running.flash_file(name) or b"").decode()


def test_wifi_is_tried_before_it_is_stored(running: EmulatedBoard):
    before = stored(running, "device.json")
    for wifi, said in (
        (Wifi("home", "wrong-password"), "Wi-Fi home refuses the password.*nothing was changed"),
        (Wifi("away", "secret12"), "sees no Wi-Fi away.*nothing was changed"),
    ):
        with pytest.raises(FlashFault, match=said):
            provisioning.settle(running.port, Identity(name="Study", wifi=wifi))
        assert stored(running, "device.json") == before
    settled = provisioning.settle(running.port, Identity(wifi=Wifi("home", "secret12")))
    assert settled.address == running.address
    untried = Identity(wifi=Wifi("away", "secret12"))
    assert provisioning.settle(running.port, untried, try_seconds=0).address is None
    assert stored(running, "device.json")["wifi"] == {"ssid": "away", "key": "secret12"}


def test_a_board_that_was_flashed_tries_its_wifi_and_starts_anew(running: EmulatedBoard):
    before = stored(running, "device.json")
    starts = running.log().count("main runs")
    told: list[str] = []
    address, _ = joining.join(running.port, Wifi("home", "secret12"), 0.2, told.append)
    assert address == running.address
    assert told[0] == "the board tries home"
    wait_for("its next start", lambda: running.log().count("main runs") == starts + 1)
    said = "is flashed, but the Wi-Fi home refuses the password: .*: phantom provision --ssid home"
    with pytest.raises(FlashFault, match=said):
        joining.join(running.port, Wifi("home", "wrong-password"), 0.2, told.append)
    wait_for("another start", lambda: running.log().count("main runs") == starts + 2)
    assert stored(running, "device.json") == before


def test_a_board_without_phantom_is_told_so(running: EmulatedBoard):
    with pytest.raises(FlashFault, match="no Phantom on this board: flash it first"):
        provisioning.judge(running.port, Identity(), {"fault": "no firmware"})
    with pytest.raises(FlashFault, match="can't store it"):
        provisioning.judge(running.port, Identity(), {"fault": "[Errno 28] ENOSPC"})


def test_logs_follow_a_board_through_a_reset_without_interrupting_it(
    running: EmulatedBoard, tmp_path: Path
):
    file = tmp_path / "heard"
    command = [*PHANTOM, "logs", "--port", running.port]
    with file.open("w") as heard, subprocess.Popen(command, stdout=heard) as logs:
        wait_for("the line", lambda: str(logs.pid) in str(ports.holders(running.port)))
        running.reset()
        wait_for("what it says", lambda: "main runs" in file.read_text())
        logs.send_signal(signal.SIGINT)
        assert logs.wait(20) == INTERRUPTED
    assert "KeyboardInterrupt" not in file.read_text()
    out = io.StringIO()
    following.follow(running.port, 0.0, out)
    assert out.getvalue() == ""


def test_a_line_is_opened_again_once_its_port_is_back(tmp_path: Path):
    link = tmp_path / "port"

    def plugged() -> int:
        master, slave = pty.openpty()
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(slave))
        os.close(slave)
        return master

    first = plugged()
    with Line(str(link)) as line:
        os.write(first, b"one\n")
        assert line.read(5).strip() == "one"
        os.close(first)
        while line.connected:
            line.read(0.1)
        second = plugged()
        while not line.connected:
            line.read(0.1)
        os.write(second, b"two\n")
        assert line.read(5).strip() == "two"
        os.close(second)


def test_the_repl_is_mpremotes_own(running: EmulatedBoard):
    master, slave = pty.openpty()
    command = [*PHANTOM, "repl", "--port", running.port]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        shown = b""
        end = time.monotonic() + 30
        while b"Ctrl-]" not in shown:
            assert time.monotonic() < end, shown
            shown += os.read(master, 4096)
        os.write(master, b"\x1d")
        assert process.wait(30) == 0
    os.close(master)
    assert b"Connected to MicroPython" in shown


def test_a_silent_board_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch):
    master, slave = pty.openpty()
    monkeypatch.setattr(mpremote, "_ANSWER_SECONDS", 0.3)
    with pytest.raises(FlashFault, match="the board is silent"):
        mpremote.ask(os.ttyname(slave), "print(1)")
    # It may fall silent later, too; mpremote by itself waits for ever.
    monkeypatch.setattr(mpremote, "answers", lambda *_: True)
    with pytest.raises(FlashFault, match="the board is silent"):
        mpremote.ask(os.ttyname(slave), "print(1)", seconds=0.5)
    os.close(slave)
    os.close(master)
