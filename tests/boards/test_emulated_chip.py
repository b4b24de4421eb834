"""The emulated chip is as unforgiving as the real one: each rule bites."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from boards.emulated import capture
from boards.emulated.board import EmulatedBoard
from boards.emulated.profiles import PROFILES
from tests.boards.driver import wait_for
from tests.boards.scripted import scripted, told

MakeBoard = Callable[..., EmulatedBoard]
RunOnBoard = Callable[..., dict[str, Any]]


def _told(board: EmulatedBoard) -> dict[str, Any]:
    return told(board)[-1]


@pytest.fixture
def run_on_board(make_board: MakeBoard) -> RunOnBoard:
    """Run a script to its end; what it told, and the board."""

    def run(script: str, **options: Any) -> dict[str, Any]:
        board = scripted(make_board, script, **options)
        return {"board": board, **_told(board)}

    return run


_LISTENER = """
    import socket, time
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", 5555))
    s.setblocking(False)
    print("LISTENING")
    time.sleep_ms(400)
"""


def _datagrams(board: EmulatedBoard, payloads: list[bytes]) -> None:
    wait_for("the listener", lambda: "LISTENING" in board.log())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for payload in payloads:
            s.sendto(payload, (board.address, 5555))


def test_the_seventh_waiting_datagram_is_lost(make_board: MakeBoard) -> None:
    board = scripted(
        make_board,
        _LISTENER
        + """
    b = bytearray(10)
    seen = []
    while s.readinto(b) is not None:
        seen.append(b[0])
    tell(seen=seen)
    """,
    )
    _datagrams(board, [bytes([i]) for i in range(9)])
    assert _told(board)["seen"] == [0, 1, 2, 3, 4, 5]


def test_an_empty_datagram_deafens_a_socket_for_ever(make_board: MakeBoard) -> None:
    board = scripted(
        make_board,
        _LISTENER
        + """
    b = bytearray(10)
    tell(seen=[s.readinto(b) for _ in range(4)])
    """,
    )
    _datagrams(board, [b"one", b"", b"two"])
    assert _told(board)["seen"] == [3, 0, 0, 0]


def test_an_empty_datagram_cannot_be_sent_nor_one_over_1472_bytes(
    run_on_board: RunOnBoard,
) -> None:
    told = run_on_board("""
        import socket
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        errors = []
        for size in (0, 1473, 1472):
            try:
                s.sendto(bytes(size), ("127.0.0.1", 9))
                errors.append(0)
            except OSError as e:
                errors.append(e.errno)
        tell(errors=errors)
    """)
    assert told["errors"] == [116, 90, 0]


def test_there_are_ten_sockets(run_on_board: RunOnBoard) -> None:
    told = run_on_board("""
        import socket
        held = []
        try:
            while True:
                held.append(socket.socket())
        except OSError as e:
            error = e.errno
        held.pop().close()
        held.append(socket.socket())
        tell(count=len(held), error=error)
    """)
    assert told["count"] == 10
    assert told["error"] == 23


def test_names_ending_in_local_and_ipv6_are_not_to_be_had(run_on_board: RunOnBoard) -> None:
    told = run_on_board("""
        import socket
        failed = []
        for make in (lambda: socket.socket(socket.AF_INET6),
                     lambda: socket.getaddrinfo("box.local", 80)):
            try:
                make()
            except OSError:
                failed.append(1)
        tell(failed=len(failed))
    """)
    assert told["failed"] == 2


def test_ticks_wrap_at_30_bits_and_differences_survive_it(run_on_board: RunOnBoard) -> None:
    told = run_on_board(
        """
        from time import ticks_us, ticks_diff, ticks_add, sleep_ms
        a = ticks_us()
        most = a
        d = 0
        while d < 200000:
            b = ticks_us()
            most = max(most, b)
            d = ticks_diff(b, a)
            sleep_ms(1)
        tell(a=a, b=b, most=most, d=d, add=ticks_add(2**30 - 5, 10))
    """,
        ticks_start=2**30 - 100_000,
    )
    assert told["b"] < told["a"]
    assert told["most"] < 2**30
    assert 200_000 <= told["d"] < 400_000
    assert told["add"] == 5


def test_a_poll_that_finds_nothing_costs_a_turn_of_the_loop(run_on_board: RunOnBoard) -> None:
    told = run_on_board("""
        import select
        from time import ticks_us, ticks_diff
        p = select.poll()
        a = ticks_us()
        for _ in range(10):
            p.poll(0)
        tell(us=ticks_diff(ticks_us(), a))
    """)
    assert told["us"] >= 10 * 490


def test_arriving_data_does_not_wake_the_loop_before_its_tick(make_board: MakeBoard) -> None:
    board = scripted(
        make_board,
        _LISTENER.replace("time.sleep_ms(400)", "")
        + """
    import select
    from time import ticks_us
    p = select.poll()
    p.register(s, select.POLLIN)
    b = bytearray(10)
    phases = []
    for _ in range(20):
        p.poll(-1)
        phases.append(ticks_us() % 10000)
        s.readinto(b)
    tell(phases=phases)
    """,
    )
    wait_for("the listener", lambda: "LISTENING" in board.log())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for i in range(20):
            s.sendto(b"x", (board.address, 5555))
            time.sleep(0.0137 + 0.001 * (i % 5))
    phases = _told(board)["phases"]
    # Woken by data they would lie anywhere; a busy machine makes a few of them late.
    assert sorted(phases)[len(phases) // 2] < 2500


def test_the_heap_is_bounded(run_on_board: RunOnBoard) -> None:
    told = run_on_board("""
        import gc
        held = []
        try:
            while True:
                held.append(bytearray(4096))
        except MemoryError:
            n = len(held)
            held = None
            gc.collect()
            tell(kib=n * 4)
    """)
    heap_kib = PROFILES["esp32"].heap_argument // 1024
    assert heap_kib // 2 < told["kib"] < heap_kib


def test_the_dac_has_one_port_on_a_c3_and_limited_dma_memory(run_on_board: RunOnBoard) -> None:
    told = run_on_board(
        """
        from machine import I2S, Pin
        def make(id, ibuf):
            try:
                I2S(id, sck=Pin(1), ws=Pin(2), sd=Pin(3), mode=I2S.TX, bits=16,
                    format=I2S.STEREO, rate=48000, ibuf=ibuf)
                return "made"
            except Exception as e:
                return type(e).__name__
        tell(second=make(1, 8192), huge=make(0, 1 << 20), good=make(0, 8192))
    """,
        profile="esp32c3",
    )
    assert told["second"] == "ValueError"
    assert told["huge"] == "OSError"
    assert told["good"] == "made"


_DAC = """
    import select
    from machine import I2S, Pin
    from time import sleep_us, ticks_us, ticks_diff
    i2s = I2S(0, sck=Pin(1), ws=Pin(2), sd=Pin(3), mode=I2S.TX, bits=16,
              format=I2S.STEREO, rate=48000, ibuf=4096)
    p = select.poll()
    p.register(i2s, select.POLLOUT)
    p.poll(0)
"""


def test_a_full_ring_takes_nothing_and_the_first_block_sounds_n_buffers_after_the_start(
    run_on_board: RunOnBoard,
) -> None:
    told = run_on_board(
        _DAC
        + """
    block = b"\\x01\\x02" * 512
    took = []
    end = ticks_us() + 60000
    while ticks_us() < end:
        took.append(i2s.write(block))
        sleep_us(300)
    i2s.deinit()
    tell(kinds=sorted(set(took)), blocks=sum(took) // 1024)
    """,
        ticks_start=0,
    )
    assert told["kinds"] == [0, 1024]  # all or nothing
    segment = capture.load(told["board"].capture_path)[-1]
    assert int(segment.sound[0]) == 4  # N = 4 descriptors of silence first
    assert told["blocks"] >= len(segment.sound) >= told["blocks"] - 4


def test_an_underrun_is_silence_and_the_clock_never_stops(run_on_board: RunOnBoard) -> None:
    told = run_on_board(
        _DAC
        + """
    block = b"\\x01\\x02" * 512
    def play(ms):
        end = ticks_us() + ms * 1000
        while ticks_us() < end:
            i2s.write(block)
            sleep_us(300)
    play(60)
    sleep_us(120000)
    play(60)
    i2s.deinit()
    tell(done=1)
    """,
        ticks_start=0,
    )
    segment = capture.load(told["board"].capture_path)[-1]
    gaps = [b - a for a, b in zip(segment.sound[:-1], segment.sound[1:], strict=True)]
    # 120 ms without data less the ring of 3 blocks: about 19 descriptors of silence, once.
    assert max(gaps) >= 15
    assert sum(g > 1 for g in gaps) == 1


def test_a_write_that_is_no_whole_block_leaves_the_cursor_inside_a_buffer(
    run_on_board: RunOnBoard,
) -> None:
    told = run_on_board(
        _DAC
        + """
    sleep_us(30000)
    took = i2s.write(b"\\x01\\x01" * 300)
    rest = i2s.write(b"\\x02\\x02" * 512)
    sleep_us(60000)
    i2s.deinit()
    tell(took=took, rest=rest)
    """
    )
    assert told["took"] == 600
    assert told["rest"] == 1024
    segment = capture.load(told["board"].capture_path)[-1]
    first = segment.pcm().reshape(-1, 256, 2)[0].reshape(-1)
    assert first[0] == 0x0101
    assert first[300] == 0x0202


def test_files_written_by_the_board_outlive_a_power_cut_and_are_read_from_outside(
    make_board: MakeBoard,
) -> None:
    script = """
        import os
        lives = 0
        if "lives" in os.listdir("/"):
            lives = int(open("/lives").read())
        with open("/lives", "w") as f:
            f.write(str(lives + 1))
        tell(lives=lives)
        import time
        time.sleep(60)
    """
    board = scripted(make_board, script)
    assert _told(board)["lives"] == 0
    board.kill()
    board.start()
    wait_for("the second life", lambda: board.log().count("TOLD") == 2)
    board.kill()
    assert board.flash_file("lives") == b"2"


def test_a_flash_write_stalls_the_board(run_on_board: RunOnBoard) -> None:
    told = run_on_board("""
        from time import ticks_us, ticks_diff
        a = ticks_us()
        with open("/big", "w") as f:
            f.write("x" * 20000)
        tell(us=ticks_diff(ticks_us(), a))
    """)
    assert told["us"] >= 4 * 80_000


def test_a_wedged_dac_takes_nothing_until_the_chip_is_reset(make_board: MakeBoard):
    board = scripted(
        make_board,
        """
        import machine, select, time
        i2s = machine.I2S(0, sck=machine.Pin(1), ws=machine.Pin(2), sd=machine.Pin(3),
            mode=machine.I2S.TX, bits=16, format=machine.I2S.STEREO, rate=48000, ibuf=4096)
        poll = select.poll()
        poll.register(i2s, select.POLLOUT)
        poll.poll(0)
        block = bytearray(1024)
        print("RUNS")
        refused = 0
        while refused < 100:
            refused = 0 if i2s.write(block) else refused + 1
            time.sleep_ms(2)
        if machine.reset_cause() == 1:
            machine.reset()
        """,
    )
    wait_for("the script", lambda: "RUNS" in board.log())
    time.sleep(0.5)
    assert board.log().count("RUNS") == 1
    board.wedge_dac()
    wait_for("the reset", lambda: board.log().count("RUNS") == 2)
    assert "DMA stopped" in board.log()
    time.sleep(0.5)
    assert board.log().count("DMA stopped") == 1
