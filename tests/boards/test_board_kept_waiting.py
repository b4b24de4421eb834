"""A board that this machine kept from running says so, to its log and to whoever judges it."""

from __future__ import annotations

import os
import re
import signal
import time
import tty
from collections.abc import Callable
from pathlib import Path

import pytest

from boards.emulated.board import STALLS, EmulatedBoard
from tests.boards.driver import wait_for

_HELD_NS = 400_000_000
_PIECE_S = 0.02
_BETWEEN_S = 0.005
_SLEPT_MS = 300
_MAIN = f"""
import select, time
poll = select.poll()
for _ in range(3):
    time.sleep_ms({_SLEPT_MS})
    poll.poll(10)
    print("slept")
while True:
    poll.poll(10)
"""


def test_time_that_others_took_is_told_and_its_own_sleep_is_not(
    make_board: Callable[..., EmulatedBoard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalls = tmp_path / "stalls"
    monkeypatch.setenv(STALLS, str(stalls))
    board = make_board(files={"main.py": _MAIN})
    board.start()
    wait_for("it waits for nothing", lambda: board.log().count("slept") == 3)
    pid = board.pid
    assert pid is not None
    # Each of its sleeps would be told; a busy machine holds it up for so long in one of them.
    spells = [_longest_ms(spell) for spell in board.log().split("slept")[:3]]
    assert min(spells) < _SLEPT_MS // 2
    told = len(_told(stalls))
    for _ in range(20):
        _hold(pid, _PIECE_S)
        time.sleep(_BETWEEN_S)
    wait_for("it says so of what it lost in pieces", lambda: len(_told(stalls)) > told)
    told = len(_told(stalls))
    _hold(pid, _HELD_NS / 1e9)
    enough_ns = _HELD_NS - 50_000_000
    wait_for("it says so", lambda: any(ns > enough_ns for _, ns in _told(stalls)[told:]))
    ended_ns, _ = _told(stalls)[-1]
    assert ended_ns <= time.monotonic_ns()
    assert "kept from running for" in board.log()


_COUNTS = """
import select
n, poll = 0, select.poll()
while True:
    print("counts to", n)
    poll.poll(10)
    n += 1
"""
_TOLD = "[emulator] kept from running for"


def test_what_is_told_of_a_board_is_in_its_log_and_not_on_its_serial_line(
    make_board: Callable[..., EmulatedBoard],
) -> None:
    board = make_board(serial=True, files={"main.py": _COUNTS})
    board.start()
    port = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(port)
        _heard(port, b"counts to")
        pid = board.pid
        assert pid is not None
        told = board.log().count(_TOLD)
        _hold(pid, _HELD_NS / 1e9)
        wait_for("it says so", lambda: board.log().count(_TOLD) > told)
        last = int(re.findall(r"counts to (\d+)\n", board.log())[-1])
        assert b"emulator" not in _heard(port, b"counts to %d\r\n" % (last + 1))
    finally:
        os.close(port)


def _heard(port: int, wanted: bytes) -> bytes:
    """What comes until something has come."""
    came = b""
    while wanted not in came:
        came += os.read(port, 4096)
    return came


def _hold(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)


def _longest_ms(spell: str) -> int:
    return max(map(int, re.findall(r"kept from running for (\d+) ms", spell)), default=0)


def _told(stalls: Path) -> list[tuple[int, int]]:
    lines = stalls.read_text().splitlines() if stalls.exists() else []
    return [(int(ended), int(length)) for ended, length in map(str.split, lines)]
