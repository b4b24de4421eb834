"""The real firmware on the emulated board: what its DAC puts out is what it was sent, in time."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from boards.emulated import capture
from boards.emulated.board import EmulatedBoard
from phantom.wire import CLOCK_PORT, LINK_PORT, RATE, mux
from phantom.wire import clock as wire
from tests.boards.driver import ClockServer, Driver, house_us, wait_for

MakeBoard = Callable[..., EmulatedBoard]

_COUNTER = (np.arange(RATE * 4) % 65536 - 32768).astype(np.int16)


def _synchronised(driver: Driver, clock: ClockServer) -> None:
    driver.call("device.clock", port=clock.port)
    wait_for("house time", lambda: driver.reports and driver.reports[-1]["clock_samples"] > 30)


def _sound(board: EmulatedBoard) -> tuple[np.ndarray, np.ndarray]:
    """(left channel, time in us of each frame) of everything that sounded, newest life."""
    segment = capture.load(board.capture_path)[-1]
    pcm = segment.pcm()
    frames = (segment.sound[:, None] * 256 + np.arange(256)).reshape(-1)
    times = np.asarray(segment.segment.times_ns(frames)) / 1000
    return pcm.reshape(-1, 2)[:, 0], times


def _first(left: np.ndarray) -> int:
    return int(np.flatnonzero(left)[0])


def test_a_board_plays_every_frame_it_is_sent_exactly_once(
    make_board: MakeBoard, clock_server: ClockServer
) -> None:
    board = make_board(ppm=0)
    board.start()
    driver = Driver(board.address)
    _synchronised(driver, clock_server)
    start = driver.open()
    driver.feed(start, _COUNTER[: RATE * 3, None])
    board.stop()
    left, times = _sound(board)
    first = _first(left)
    played = left[first:]
    trims = driver.reports[-1]["trims"]
    assert driver.reports[-1]["underruns"] == 0
    # A trim resamples one block; all others are the stream's own frames.
    steps = np.diff(played[: RATE * 3 // 256 * 256 - 512].astype(np.int32)) % 65536
    assert np.count_nonzero(steps != 1) <= trims * 256
    if not trims:
        assert np.array_equal(played[: 256 * 500], _COUNTER[: 256 * 500])
    assert abs(times[first] - start) < 2000


def test_two_crystals_far_apart_stay_within_a_millisecond(
    make_board: MakeBoard, clock_server: ClockServer
) -> None:
    boards = [make_board("slow", ppm=-40.0), make_board("fast", ppm=40.0)]
    drivers = []
    for board in boards:
        board.start()
        drivers.append(Driver(board.address))
    for driver in drivers:
        _synchronised(driver, clock_server)
    errors = []
    for board, driver in zip(boards, drivers, strict=True):
        start = driver.open()
        driver.feed(start, _COUNTER[: RATE * 2, None])
        board.stop()
        left, times = _sound(board)
        first = _first(left)
        n = np.arange(0, RATE, 256)
        frame = left[first + n].astype(np.int64) + 32768
        errors.append(times[first + n] - (start + frame * 1e6 / RATE))
    for error in errors:
        assert np.abs(error).max() < 1000


def test_a_board_answers_who_it_is(make_board: MakeBoard) -> None:
    board = make_board("bath", profile="esp32s3", room="Bathroom")
    board.start()
    info = Driver(board.address).call("device.info")["result"]
    assert info["id"] == "bath"
    assert info["name"] == "Bathroom"
    assert info["board"] == "esp32_generic_s3"
    assert info["codecs"] == ["ima-adpcm", "pcm16"]


def test_wrong_calls_get_the_error_that_fits(make_board: MakeBoard) -> None:
    board = make_board()
    board.start()
    driver = Driver(board.address)
    assert driver.call("renderer.dance")["error"]["code"] == -32601
    assert driver.call("renderer.level", volume=99999, ramp_ms=0)["error"]["code"] == -32602
    assert driver.call("renderer.level", loudness=3)["error"]["code"] == -32602
    bad = {"stream": 1, "start_us": 0, "codec": "mp3", "pick": "mono", "channels": 1}
    answer = driver.call("renderer.open", **bad)
    assert "mp3" in answer["error"]["message"]


def test_a_restarted_board_is_another_boot_of_the_same_device(make_board: MakeBoard) -> None:
    board = make_board()
    board.start()
    before = Driver(board.address).call("device.info")["result"]
    board.kill()
    assert not board.alive
    board.start()
    after = Driver(board.address).call("device.info")["result"]
    assert after["id"] == before["id"]
    assert after["boot"] != before["boot"]
    assert len(board.captures) == 2


def test_a_board_told_to_restart_comes_back_by_itself(make_board: MakeBoard) -> None:
    board = make_board()
    board.start()
    Driver(board.address).send(mux.RPC, b'{"jsonrpc":"2.0","method":"device.restart","params":{}}')
    wait_for("the second life", lambda: len(board.captures) == 2)
    assert Driver(board.address).call("device.info")["result"]["id"] == "kitchen"


def test_another_protocol_version_is_turned_away(make_board: MakeBoard) -> None:
    board = make_board()
    board.start()
    Driver(board.address).close()
    with socket.create_connection((board.address, LINK_PORT), 5) as s:
        hello = bytearray(mux.hello(mux.ROLE_BOX, "future", 1))
        hello[1] = 99
        s.sendall(mux.frame(mux.LINK, bytes(hello)))
        s.settimeout(5)
        answer = s.recv(100)
    assert answer == mux.frame(mux.LINK, mux.goodbye(mux.REASON_PROTOCOL))


def test_a_stream_goes_on_over_a_new_connection_with_nothing_lost(
    make_board: MakeBoard, clock_server: ClockServer
) -> None:
    board = make_board(ppm=0)
    board.start()
    first = Driver(board.address)
    _synchronised(first, clock_server)
    start = house_us() + 400_000
    terms = {"stream": 1, "start_us": start, "codec": "pcm16", "pick": "mono", "channels": 1}
    pcm = _COUNTER[: RATE * 2, None]
    assert "result" in first.call("renderer.open", **terms, first_chunk=0)
    halfway = 150
    first.feed_chunks(start, pcm, 0, halfway, lead_us=350_000)
    # The link dies; a fresh one of the same box repeats some chunks and goes on.
    second = Driver(board.address)
    assert "result" in second.call("renderer.open", **terms, first_chunk=halfway - 20)
    second.feed_chunks(start, pcm, halfway - 20, len(pcm) // 256, lead_us=350_000)
    second.play_out(start, len(pcm) // 256)
    wait_for("a report", lambda: len(second.reports) > 0)
    assert first.closed
    assert second.reports[-1]["underruns"] == 0
    board.stop()
    left, _ = _sound(board)
    played = left[_first(left) :]
    steps = np.diff(played[: 256 * 370].astype(np.int32)) % 65536
    assert np.count_nonzero(steps != 1) <= second.reports[-1]["trims"] * 256


_HOT_PATH = """
import gc
from time import sleep_us, ticks_ms, ticks_us
from phantom import config, device
d = device.Device(config.load(config.BOARD), config.load(config.DEVICE))
gc.collect()
gc.disable()
link = pump = turns = blocks = chunks = 0
end = ticks_ms() + 6000
while ticks_ms() < end and blocks < 400:
    playing = d._renderer.state == 3
    accepted, held = d._output.cursor.accepted, d._renderer.ring.wants()
    a = gc.mem_alloc()
    d._output.pump()
    b = gc.mem_alloc()
    d._listener.poll(ticks_ms())
    c = gc.mem_alloc()
    if playing:
        turns += 1
        pump += b - a
        blocks += d._output.cursor.accepted - accepted
        chunks += d._renderer.ring.wants() - held
        link += c != b
    d._house.poll(ticks_us(), ticks_ms())
    d._listener.accept(ticks_ms())
    if d._clock.samples > 5 and not d._clock.synced:
        d._clock.fit(ticks_us())
    if gc.mem_free() < 20000:
        gc.collect()
    sleep_us(400)
print('{"turns":', turns, ',"blocks":', blocks, ',"chunks":', chunks,
      ',"pump":', pump, ',"link":', link, '}')
gc.enable()
while True:
    d._output.pump()
    d._listener.poll(ticks_ms())
    sleep_us(1000)
"""


@pytest.mark.parametrize("channels", [1, 2])
def test_the_hot_path_allocates_nothing(
    make_board: MakeBoard, clock_server: ClockServer, channels: int
) -> None:
    board = make_board(files={"main.py": _HOT_PATH})
    board.start()
    driver = Driver(board.address)
    driver.call("device.clock", port=clock_server.port)
    start = driver.open(channels, lead_us=200_000)
    pcm = np.repeat(_COUNTER[: RATE * 3, None], channels, axis=1)
    driver.feed(start, pcm, lead_us=200_000)
    wait_for("the count", lambda: "turns" in board.log())
    line = next(x for x in board.log().splitlines() if "turns" in x)
    counted = json.loads(line)
    assert counted["blocks"] > 200
    assert counted["chunks"] > 200
    assert counted["pump"] == 0
    # Receiving audio, placing it and granting windows cost nothing; turns with a ping do.
    assert counted["link"] <= 12


def _mutated(rng: random.Random) -> bytes:
    good = [
        mux.frame(mux.LINK, mux.ping(7)),
        mux.frame(mux.LINK, mux.window(mux.RPC, 4096)),
        mux.frame(mux.RPC, b'{"jsonrpc":"2.0","method":"device.info","id":1}'),
        mux.frame(mux.AUDIO, b"\x01\x00\x01\x01" + bytes(516)),
        mux.frame(mux.BULK, bytes(64)),
    ]
    data = bytearray(rng.choice(good))
    for _ in range(rng.randrange(1, 4)):
        kind = rng.randrange(3)
        at = rng.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at:]
        else:
            data[at:at] = rng.randbytes(rng.randrange(8))
    return bytes(data)


@pytest.mark.timeout(120)
def test_thousands_of_random_frames_and_datagrams_leave_a_board_as_it_was(
    make_board: MakeBoard, clock_server: ClockServer
) -> None:
    board = make_board(profile="esp32")
    board.start()
    rng = random.Random(7)
    driver = Driver(board.address)
    _synchronised(driver, clock_server)
    heap_before = min(r["heap_free"] for r in driver.reports[-2:])
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sent = connections = 0
    while sent < 4_000:
        connections += 1
        with socket.create_connection((board.address, LINK_PORT), 5) as s:
            s.settimeout(0.5)
            if connections % 2:
                s.sendall(mux.frame(mux.LINK, mux.hello(mux.ROLE_BOX, "stranger", connections)))
            try:
                for _ in range(300):
                    sent += 1
                    s.sendall(_mutated(rng))
                    udp.sendto(
                        rng.randbytes(rng.choice((0, 1, 15, 16, 32, 33, 500))),
                        (board.address, rng.choice((CLOCK_PORT, LINK_PORT))),
                    )
            except OSError:
                pass  # it hung up on us: as it should
    assert board.alive
    assert driver.call("device.info")["result"]["id"] == "kitchen"
    # It collects its garbage every second, a busy one less often.
    seen = len(driver.reports)
    wait_for(
        "as much memory as before",
        lambda: any(r["heap_free"] > heap_before - 8192 for r in driver.reports[seen + 2 :]),
    )
    # And it plays.
    start = driver.open()
    driver.feed(start, _COUNTER[:RATE, None])
    assert driver.reports[-1]["underruns"] == 0
    left, _ = _sound(board)
    assert np.count_nonzero(left) > RATE // 2
    assert not driver.closed


def test_garbage_and_empty_datagrams_at_the_clock_socket_do_not_deafen_it(
    make_board: MakeBoard,
) -> None:
    board = make_board()
    board.start()
    driver = Driver(board.address)
    rng = random.Random(3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        driver.call("device.clock", port=server.getsockname()[1])
        answered = 0
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if driver.reports and driver.reports[-1]["clock_samples"] >= 20:
                break
            data, peer = server.recvfrom(100)
            t2 = house_us()
            server.sendto(rng.randbytes(rng.choice((1, 31, 32, 33, 200))), peer)
            if answered % 7 == 3:
                server.sendto(b"", peer)  # wedges a socket of the ESP32's until it is made anew
            asked = wire.parse_request(data)
            assert asked is not None
            server.sendto(wire.reply(*asked, 1, t2, house_us() - t2), peer)
            answered += 1
        assert driver.reports[-1]["house_us"]
        assert driver.reports[-1]["clock_samples"] >= 20
        assert driver.reports[-1]["refused"] >= 10
        assert answered > 30


def test_a_board_tells_what_it_is_and_what_it_has_refused(make_board: MakeBoard) -> None:
    board = make_board()
    board.start()
    driver = Driver(board.address)
    values: dict[str, Any] = {}
    after = None
    while True:
        page = driver.call("properties.observe", after=after)["result"]
        values |= page["values"]
        after = page["next"]
        if after is None:
            break
    assert values["device.info.id"] == "kitchen"
    assert values["device.info.boot"] == 1
    driver.call("renderer.dance")
    driver.send(mux.RPC, b"{")
    wait_for(
        "news of refusals",
        lambda: driver.properties.get("link.refused") == {"unknown_method": 1, "malformed": 1},
    )
