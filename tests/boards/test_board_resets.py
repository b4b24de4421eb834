"""Resets of the emulated chip: why it started, and what it kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from boards.emulated.board import EmulatedBoard
from boards.emulated.stubs import resets
from tests.boards.driver import wait_for
from tests.boards.scripted import scripted, told

MakeBoard = Callable[..., EmulatedBoard]

# Each life does the next thing that ends one; RTC memory counts them.
_LIVES = """
    import machine, sys
    memory = machine.RTC()
    n = len(memory.memory())
    tell(n=n, cause=machine.reset_cause())
    memory.memory(memory.memory() + b"x")
    if n == 0:
        machine.reset()
    if n == 1:
        try:
            machine.soft_reset()
        finally:
            print("unwound")
    if n == 2:
        sys.exit()
    if n == 3:
        machine.WDT(timeout=50)
        while True:
            pass
    if n == 4:
        import ffi
        ffi.open("libc.so.6").func("v", "abort", "")()  # stands for a panic of the chip
    import time
    time.sleep(60)
"""


def test_each_way_to_reset_has_its_cause_and_leaves_rtc_memory(make_board: MakeBoard) -> None:
    board = scripted(make_board, _LIVES)
    found = told(board, 6)
    assert [life["n"] for life in found] == list(range(6))
    causes = [life["cause"] for life in found]
    assert causes == [
        resets.PWRON_RESET,
        resets.HARD_RESET,
        resets.SOFT_RESET,
        resets.SOFT_RESET,
        resets.WDT_RESET,
        resets.HARD_RESET,
    ]
    log = board.log()
    assert log.count("MPY: soft reboot") == 2
    assert log.count("unwound") == 1  # machine.reset() runs no `finally`, a soft reset does
    assert "the watchdog bites" in log
    assert board.retained.memory == b"x" * 6


def test_power_on_finds_rtc_memory_empty_and_a_test_may_put_anything_there(
    make_board: MakeBoard,
) -> None:
    script = """
        import machine
        m = machine.RTC()
        tell(memory=m.memory().hex(), cause=machine.reset_cause())
        m.memory(b"kept")
        try:
            m.memory(bytes(2049))
        except ValueError as e:
            tell(refused=str(e))
        import time
        time.sleep(60)
    """
    board = scripted(make_board, script)
    assert told(board, 2)[1] == {"refused": "buffer too long"}
    assert board.retained.memory == b"kept"
    board.kill()
    assert board.retained.memory == b""
    board.retained.memory = b"\xde\xad"  # a cell that kept its charge
    board.start()
    assert told(board, 3)[2] == {"memory": "dead", "cause": resets.PWRON_RESET}
    with pytest.raises(ValueError, match="do not fit"):
        board.retained.memory = bytes(2049)


def test_a_fed_watchdog_lets_live_and_runs_on_over_a_soft_reset(make_board: MakeBoard) -> None:
    board = scripted(
        make_board,
        """
        import machine, time
        tell(cause=machine.reset_cause())
        if machine.reset_cause() == machine.PWRON_RESET:
            dog = machine.WDT(timeout=150)
            for _ in range(30):
                time.sleep_ms(10)
                dog.feed()
            tell(fed=True)
            machine.soft_reset()
        while machine.reset_cause() == machine.SOFT_RESET:
            time.sleep_ms(10)
        time.sleep_ms(400)  # nobody feeds it now, and nobody has to
        tell(calm=True)
        """,
    )
    assert told(board, 5) == [
        {"cause": resets.PWRON_RESET},
        {"fed": True},
        {"cause": resets.SOFT_RESET},
        {"cause": resets.WDT_RESET},
        {"calm": True},
    ]


def test_a_watchdog_refuses_what_the_chips_refuses(make_board: MakeBoard) -> None:
    board = scripted(
        make_board,
        """
        import machine, gc
        refused = []
        for arguments in ((1, 1000), (0, 0), (0, -5)):
            try:
                machine.WDT(*arguments)
            except ValueError:
                refused.append(arguments)
        dog = machine.WDT(timeout=60_000)
        def feed():
            before = gc.mem_alloc()
            dog.feed()
            return gc.mem_alloc() - before
        feed()
        tell(refused=len(refused), allocated=feed())
        """,
    )
    assert told(board) == [{"refused": 3, "allocated": 0}]


def test_a_cut_of_power_in_the_nth_flash_operation_leaves_the_board_off(
    make_board: MakeBoard,
) -> None:
    board = scripted(
        make_board,
        """
        import time
        print("RUNS")
        n = 0
        while True:
            with open("/counter", "w") as f:
                f.write(str(n))
            n += 1
            time.sleep_ms(1)
        """,
        flash_erase_us=0,
    )
    wait_for("the first save", lambda: board.flash_power.operations > 3)
    before = board.flash_power.operations
    board.flash_power.cut_after(20, torn=100)
    wait_for("the cut", lambda: not board.alive)
    assert board.flash_power.operations >= before + 20
    assert "power cut in flash operation" in board.log()
    assert set(board.flash_power.kinds()) == {"E", "P"}
    assert board.flash_file("/counter") is not None
    board.start()
    after = board.flash_power.operations
    wait_for("it goes on", lambda: board.flash_power.operations > after)
    assert board.log().count("RUNS") == 2
    with pytest.raises(ValueError, match="count from 1"):
        board.flash_power.cut_after(0)
