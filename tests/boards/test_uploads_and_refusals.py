"""Uploads to an emulated board, and what a member of the house that has gone mad can do to it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from boards.emulated.board import EmulatedBoard
from phantom.wire import LINK_PORT, RATE, bulk, mux
from storagebox.streamer.transfer import upload
from tests.boards.driver import ClockServer, Driver, wait_for
from tests.standins import until
from tests.streamer.test_link import linked

MakeBoard = Callable[..., EmulatedBoard]

DATA = random.Random(9).randbytes(150_000)


def _refused(driver: Driver) -> dict[str, int]:
    answer = driver.call("properties.read", names=["link.refused"])
    return answer["result"]["values"]["link.refused"]


def test_a_board_takes_an_upload_while_it_plays(
    make_board: MakeBoard, clock_server: ClockServer
) -> None:
    board = make_board(profile="esp32")
    board.start()
    driver = Driver(board.address)
    driver.call("device.clock", port=clock_server.port)
    wait_for("house time", lambda: driver.reports and driver.reports[-1]["clock_samples"] > 30)
    start = driver.open()

    async def story() -> None:
        async with linked(LINK_PORT, board.address) as made:
            await until(lambda: made.link.up, "the link is up")
            feeding = asyncio.to_thread(driver.feed, start, np.zeros((3 * RATE, 1), np.int16))
            playing = asyncio.ensure_future(feeding)
            uploaded = 0
            while not playing.done():
                uploaded += (await upload(made.link, DATA)).size
            assert uploaded >= len(DATA)
            await playing

    asyncio.run(story())
    assert driver.reports[-1]["underruns"] == 0
    assert not driver.closed


def test_an_upload_that_loses_its_link_leaves_the_board_ready_for_the_next(
    make_board: MakeBoard,
) -> None:
    board = make_board()
    board.start()
    first = Driver(board.address, "one")
    begun = {"id": 1, "size": 100, "purpose": "measure"}
    assert first.call("transfer.begin", **begun)["result"] is True
    second = Driver(board.address, "two")
    assert "another upload" in second.call("transfer.begin", **begun)["error"]["message"]
    first.send(mux.BULK, bulk.header(1, 0) + b"half")
    first.close()
    wait_for("room", lambda: "result" in second.call("transfer.begin", **begun))
    second.send(mux.BULK, bulk.header(1, 0) + bytes(100))
    assert second.call("transfer.end", id=1)["result"]["size"] == 100


def test_each_kind_of_refusal_is_counted_in_a_property(make_board: MakeBoard) -> None:
    board = make_board()
    board.start()
    driver = Driver(board.address)

    def say(text: str) -> None:
        driver.send(mux.RPC, text.encode())

    say('{"jsonrpc": "2.0", "method"')  # truncated
    say("[" * 400 + "]" * 400)
    say('{"jsonrpc": "2.0", "method": "device.fly", "id": "x"}')
    say('{"jsonrpc": "2.0", "method": "renderer.level", "params": {"volume": "loud"}, "id": "x"}')
    say('{"jsonrpc": "2.0", "result": true, "id": 77}')  # an answer to nothing
    driver.send(mux.BULK, bulk.header(3, 0) + b"nobody asked")
    driver.call("transfer.begin", id=3, size=10, purpose="measure")
    driver.send(mux.BULK, bulk.header(3, 0) + b"four")
    driver.send(mux.BULK, bulk.header(3, 0) + b"four")
    assert "bytes from 0" in driver.call("transfer.end", id=3)["error"]["message"]
    with pytest.raises(ConnectionError):
        _until_closed(Driver(board.address, "mad"), bytes([mux.RPC, 0, 255, 255]))
    with pytest.raises(ConnectionError):
        _until_closed(Driver(board.address, "mad"), bytes([77, 0, 0, 0]))
    stranger = Driver(board.address, "stranger", wait=False)
    stranger.send(mux.RPC, b"{}")
    expected = {"malformed": 3, "unknown_method": 1, "invalid_params": 1, "stray": 2}
    expected |= {"replayed": 1, "oversized": 1, "stranger": 1}
    wait_for("the counts", lambda: _refused(driver) == expected)


def _until_closed(driver: Driver, data: bytes) -> None:
    driver.socket.sendall(data)
    wait_for("the end of the link", lambda: driver.closed)
    raise ConnectionError


def _mad(rng: random.Random, heard: list[bytes]) -> bytes:
    """A frame of a member that has gone mad: mutated, truncated, replayed, or made up."""
    kind = rng.randrange(5)
    if kind == 0 and heard:
        return rng.choice(heard)
    good = [
        mux.frame(mux.LINK, mux.ping(7)),
        mux.frame(mux.LINK, mux.window(mux.RPC, rng.randrange(1 << 32))),
        mux.frame(mux.RPC, json.dumps(_call(rng)).encode()),
        mux.frame(mux.AUDIO, b"\x01\x00\x01\x01" + bytes(516)),
        mux.frame(mux.BULK, bulk.header(rng.randrange(3), rng.randrange(3)) + bytes(9)),
    ]
    frame = bytearray(rng.choice(good))
    if kind == 1:
        frame[rng.randrange(len(frame))] = rng.randrange(256)
    elif kind == 2:
        del frame[rng.randrange(len(frame)) :]
    elif kind == 3 and len(frame) > mux.HEADER_BYTES:
        frame[rng.randrange(mux.HEADER_BYTES, len(frame))] = rng.randrange(256)
    heard.append(bytes(frame))
    return bytes(frame)


_METHODS = (
    "device.info",
    "device.clock",
    "renderer.open",
    "renderer.close",
    "renderer.level",
    "renderer.session",
    "properties.observe",
    "properties.read",
    "properties.set",
    "topology.get",
    "topology.put",
    "registrar.list",
    "chime.play",
    "transfer.begin",
    "transfer.end",
    "transfer.cancel",
    "no.such",
)
_NAMES = (
    *("stream", "start_us", "first_chunk", "session", "volume", "mute", "ramp_ms", "names", "x"),
    *("after", "name", "value", "entries", "kind", "id", "size", "purpose", "at_chunk", "port"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, 0, 1, -1, 1 << 31, 1 << 70, 0.5, 1e300, "", "x", "measure", "renderer.note"),
    *([], [1], ["x"], [[[]]], {}, {"values": 1}, "x" * 300),
)


def _call(rng: random.Random) -> dict[str, Any]:
    params = {rng.choice(_NAMES): rng.choice(_VALUES) for _ in range(rng.randrange(5))}
    return {"jsonrpc": "2.0", "method": rng.choice(_METHODS), "params": params, "id": 1}


@pytest.mark.timeout(120)
def test_a_member_that_has_gone_mad_costs_itself_its_link_and_nobody_else_anything(
    make_board: MakeBoard, clock_server: ClockServer
) -> None:
    board = make_board(profile="esp32")
    board.start()
    driver = Driver(board.address)
    driver.call("device.clock", port=clock_server.port)
    wait_for("house time", lambda: driver.reports and driver.reports[-1]["clock_samples"] > 30)
    rng = random.Random(31)
    heap_before = min(r["heap_free"] for r in driver.reports[-2:])
    heard: list[bytes] = []
    sent = 0
    # What comes after the message that it hangs up on is never read, and how much that is depends
    # on the machine: so until each kind was refused, within what no honest board would need.
    wanted = {"malformed", "oversized", "invalid_params", "stray"}
    while sent < 1500 or (sent < 30000 and not wanted <= set(_refused(driver))):
        mad = Driver(board.address, "mad")
        heard[:] = heard[-50:]
        try:
            for _ in range(500):
                if mad.closed:
                    break
                sent += 1
                mad.socket.sendall(_mad(rng, heard))
        except OSError:
            pass  # it hung up on us: as it should
        mad.close()
    assert board.alive
    assert not driver.closed
    assert driver.call("device.info")["result"]["id"] == "kitchen"
    seen = len(driver.reports)
    wait_for("fresh reports, with uploads let go of", lambda: len(driver.reports) >= seen + 16, 15)
    assert max(r["heap_free"] for r in driver.reports[-6:]) > heap_before - 8192
    counts = _refused(driver)
    assert wanted <= set(counts), counts
