"""Serial ports as they are found: missing, busy, forbidden, none at all, or several."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import serial

from tools.flash import listing, ports, process, starting
from tools.flash.faults import BAD_INPUT, UNDERWAY, FlashFault
from tools.flash.mpremote import explain
from tools.flash.ports import Port
from tools.flash.process import Ended

HOLDER = """
import serial, sys
port = serial.Serial(sys.argv[1], exclusive=True)
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def port() -> Iterator[str]:
    """A port on which nothing answers."""
    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have this machine the ports that are named."""

    def having(*paths: str) -> None:
        there = [Port(path, usb=not path.startswith("/dev/ttyS")) for path in paths]
        monkeypatch.setattr(ports, "found", lambda: there)

    having()
    return having


def test_a_port_that_nobody_uses_is_taken(port: str):
    ports.check(port)
    assert ports.choose(port) == port


def test_the_only_port_on_usb_is_taken_unasked_and_several_are_named(
    port: str, present: Callable[..., None]
):
    present("/dev/ttyS0", port)
    assert ports.choose(None) == port
    present("/dev/ttyUSB0", "/dev/ttyUSB1")
    with pytest.raises(FlashFault, match=r"--port: /dev/ttyUSB0, /dev/ttyUSB1"):
        ports.choose(None)
    for there, example in (((), "/dev/ttyUSB0"), (("/dev/ttyS0",), "/dev/ttyS0")):
        present(*there)
        with pytest.raises(FlashFault, match=f"no board on USB: plug it in .*--port {example}"):
            ports.choose(None)


def test_a_wrong_port_is_refused_with_those_there_are(
    tmp_path: Path, present: Callable[..., None]
):
    file = tmp_path / "file"
    file.write_text("no port")
    with pytest.raises(FlashFault, match="no such port: is the board plugged in"):
        ports.check(str(tmp_path / "ttyUSB7"))
    present("/dev/ttyUSB0")
    for path in (str(tmp_path / "ttyUSB7"), str(file), "/dev/null"):
        with pytest.raises(FlashFault, match=": there is /dev/ttyUSB0") as fault:
            ports.check(path)
        assert fault.value.status == BAD_INPUT


def test_a_busy_port_is_refused_with_the_program_that_has_it(port: str):
    with (
        serial.Serial(port, exclusive=True),
        pytest.raises(FlashFault, match="in use by another program: close it"),
    ):
        ports.check(port)  # by this very process, which is none of the others
    hold = [sys.executable, "-c", HOLDER, port]
    with subprocess.Popen(hold, stdin=PIPE, stdout=PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(FlashFault, match=r"in use by python\S* \(\d+\): close it"):
            ports.check(port)
    ports.check(port)


def test_a_forbidden_port_is_refused_with_the_group_to_join(
    port: str, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    group = Path(port).group()
    with pytest.raises(FlashFault, match=f"no permission: .*usermod -aG {group} "):
        ports.check(port)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    process.need("serial", "esptool", "mpremote")
    with pytest.raises(FlashFault, match=r"no_such_tool is not installed.*extra `boards`"):
        process.need("no_such_tool")


# Running tools


def test_lines_of_a_tool_are_heard_as_they_come_and_a_late_one_is_ended():
    heard: list[str] = []
    ended = process.run_module("timeit", ["-n", "1", "-r", "1", "print('here')"], 20, heard.append)
    assert ended.status == 0
    assert "here" in heard
    ended = process.run_module("timeit", ["-n", "1", "import time; time.sleep(60)"], 0.5)
    assert ended.status is None


@pytest.mark.parametrize(
    ("status", "output", "said"),
    [
        (1, "mpremote: failed to access /dev/x (it may be in use by another program)", "in use"),
        (1, "b''\nmpremote: could not enter raw repl", "the board is silent"),
        (None, "", "the board is silent"),
        (1, "serial.serialutil.SerialException: device reports readiness", "broke off"),
        (1, "Traceback\nMemoryError: memory allocation failed", "short of memory"),
        (1, "Traceback\nOSError: 28", "the board says OSError: 28"),
    ],
)
def test_what_mpremote_says_is_said_in_a_line(status: int | None, output: str, said: str):
    fault = explain("/dev/x", Ended(status, output))
    assert said in str(fault)
    assert str(fault).startswith("/dev/x: ")
    assert fault.status == UNDERWAY


# Listing


def row(path: str, **known: Any) -> listing.Row:
    return listing.look([path], **known)[0]


def test_a_port_that_is_gone_or_busy_is_a_row_that_says_so(
    port: str, present: Callable[..., None]
):
    with serial.Serial(port, exclusive=True):
        busy = row(port)
    assert (busy.state, busy.why) == ("busy", "in use by another program: close it, then repeat")
    gone = row("/dev/ttyUSB77")
    assert gone.state == "fault"
    assert gone.why.startswith("no such port")
    assert row(port, touch=False).state == "untouched"
    assert listing.look(None) == []


# Starting


def test_what_a_board_says_when_it_starts_is_understood():
    assert starting.judge("rst:0x1 (POWERON_RESET),boot:0x13\r\n") is None
    new = starting.judge("...\r\nadopt this device:  phantom adopt kitchen K7QF-3MXA-9RTB\r\n")
    assert new is not None
    assert (new.id, new.code) == ("kitchen", "K7QF-3MXA-9RTB")
    ours = starting.judge("this device: kitchen of Our home\r\n")
    assert ours is not None
    assert (ours.text, ours.code) == ("it runs, as kitchen of Our home", None)
    for said in (
        "invalid header: 0xffffffff",
        "The filesystem appears to be corrupted",
        "Brownout",
    ):
        started = starting.judge(f"{said} detector was triggered\r\n")
        assert started is not None
        assert started.trouble


def test_a_board_that_says_nothing_is_not_watched_for_ever(port: str):
    assert not starting.watch(port, 0.2, lambda _: None).heard
