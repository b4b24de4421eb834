"""Who may speak to a board: its own house, whoever can read its console, and nobody else."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from boards.emulated.board import EmulatedBoard
from phantom.handshake import AUTH_MS, Handshake
from phantom.rpc import RpcError
from phantom.wire import LINK_PORT, audio, mux
from storagebox.adoption import AdoptionError, adopt
from storagebox.box import Box
from storagebox.installation import Membership
from tests.boards.driver import Driver, wait_for
from tests.standins import until
from tools.demo.installation import member

MakeBoard = Callable[..., EmulatedBoard]

ELSEWHERE = {"id": "02" * 8, "key": "a5" * 32, "name": "next door"}


def _code(board: EmulatedBoard) -> str:
    pattern = re.compile(rf"phantom adopt {board.name} (\S+)")
    wait_for("the code", lambda: pattern.search(board.log()))
    return pattern.findall(board.log())[-1]


def _adopt(board: EmulatedBoard, code: str, membership: Membership) -> dict[str, object]:
    Driver(board.address, wait=False).close()  # it listens
    return asyncio.run(adopt(board.address, LINK_PORT, board.name, code, membership))


def _turned_away(driver: Driver) -> bool:
    wait_for("the end", lambda: driver.closed)
    return driver.goodbye == mux.REASON_STRANGER and not driver.boot


def test_a_new_board_is_adopted_with_the_code_on_its_console(make_board: MakeBoard) -> None:
    board = make_board(installation=None)
    board.start()
    assert _adopt(board, _code(board), member("box-1"))["id"] == "kitchen"
    driver = Driver(board.address)
    assert driver.call("device.info")["result"]["id"] == "kitchen"
    assert driver.call("adoption.adopt")["error"]["code"] == -32601
    driver.close()
    board.kill()
    board.start()
    assert Driver(board.address).call("device.info")["result"]["boot"] == 2


def test_a_wrong_code_adopts_nothing_and_says_where_the_right_one_is(
    make_board: MakeBoard,
) -> None:
    board = make_board(installation=None)
    board.start()
    wrong = "AAAA-BBBB-2222"
    assert _code(board) != wrong
    with pytest.raises(AdoptionError, match="serial console"):
        _adopt(board, wrong, member("box-1"))
    with pytest.raises(AdoptionError, match="12 letters"):
        _adopt(board, "AAAA", member("box-1"))
    assert _turned_away(Driver(board.address))
    assert _adopt(board, _code(board), member("box-1"))


def test_who_adopts_may_do_nothing_else(make_board: MakeBoard) -> None:
    board = make_board(installation=None)
    board.start()
    from phantom.membership import NO_INSTALLATION, NO_KEY, code_key
    from storagebox.adoption import _Adopter

    key = code_key(_code(board), board.name)
    adopter = _Adopter("x", NO_INSTALLATION, NO_KEY, "", adopted=False, device_key=key)
    driver = Driver(board.address, membership=adopter)
    assert driver.call("device.info")["result"]["id"] == "kitchen"
    for method in ("renderer.open", "renderer.level", "topology.put", "device.restart"):
        assert driver.call(method)["error"]["code"] == -32601, method
    terms = {"installation": "01" * 8, "key_masked": "00" * 32, "name": "x", "tag": "00" * 16}
    assert "on its way" in driver.call("adoption.adopt", **terms)["error"]["message"]
    for wrong in ({"tag": 1}, {"name": None}, {"key_masked": "00"}, {"installation": "zz"}):
        assert driver.call("adoption.adopt", **(terms | wrong))["error"]["code"] == -32602, wrong
    assert driver.call("device.info")["result"]


def test_a_board_leaves_its_house_only_for_a_member_and_is_new_then(
    make_board: MakeBoard,
) -> None:
    board = make_board()
    board.start()
    assert "adopt" not in board.log()
    driver = Driver(board.address)
    assert driver.call("adoption.leave")["result"] is True
    wait_for("a new life", lambda: len(board.captures) == 2)
    assert _turned_away(Driver(board.address))
    assert _adopt(board, _code(board), member("box-1", belongs=ELSEWHERE))
    assert Driver(board.address, membership=member("box-1", belongs=ELSEWHERE)).boot


def test_a_stranger_can_neither_control_nor_feed_a_board(make_board: MakeBoard) -> None:
    board = make_board()
    board.start()
    owner = Driver(board.address)
    # Another house; our house's id without its key; no house; and no proof at all.
    forged = member("box-2")
    forged.key = bytes(32)
    for who in (member("box-2", belongs=ELSEWHERE), forged):
        assert _turned_away(Driver(board.address, membership=who))
    hello = mux.frame(mux.LINK, mux.hello(mux.ROLE_BOX, "box-2", 1, forged.installation))
    call = mux.frame(mux.RPC, b'{"jsonrpc":"2.0","method":"device.restart","params":{}}')
    chunk = mux.frame(mux.AUDIO, audio.header(1, audio.PCM16, 1, 0) + bytes(512))
    for said in (call, chunk, hello + call, hello + chunk, mux.frame(mux.BULK, b"x" * 64)):
        with socket.create_connection((board.address, LINK_PORT), 5) as s:
            s.settimeout(5)
            s.sendall(said)
            heard = b""
            while data := s.recv(4096):
                heard += data
            assert heard.endswith(mux.frame(mux.LINK, mux.goodbye(mux.REASON_STRANGER)))
    wait_for("the count", lambda: _refused(owner).get("stranger", 0) >= 7)
    assert len(board.captures) == 1
    wait_for("a report", lambda: owner.reports)
    assert owner.reports[-1]["state"] in ("idle", "syncing")


def _refused(driver: Driver) -> dict[str, int]:
    return driver.call("properties.read", names=["link."])["result"]["values"]["link.refused"]


def test_a_recorded_handshake_is_worth_nothing(make_board: MakeBoard) -> None:
    board = make_board()
    board.start()
    owner = Driver(board.address)
    recorded: list[bytes] = []
    with socket.create_connection((board.address, LINK_PORT), 5) as s:
        s.settimeout(5)
        ours = Handshake(member("box-2"), mux.ROLE_BOX, True, os.urandom(mux.NONCE_BYTES))
        recorded.append(mux.frame(mux.LINK, ours.hello))
        s.sendall(recorded[0])
        recorded.append(mux.frame(mux.LINK, ours.take_hello(s.recv(4096)[mux.HEADER_BYTES :])))
        s.sendall(recorded[1])
        assert ours.verify(s.recv(mux.HEADER_BYTES + mux.AUTH_BYTES)[mux.HEADER_BYTES :]) is None
    with socket.create_connection((board.address, LINK_PORT), 5) as s:
        s.settimeout(5)
        s.sendall(b"".join(recorded))
        heard = b""
        while data := s.recv(4096):
            heard += data
        assert mux.frame(mux.LINK, mux.goodbye(mux.REASON_STRANGER)) in heard
    wait_for("the count", lambda: _refused(owner).get("stranger") == 1)


def test_strangers_who_connect_and_wait_keep_nobody_out(make_board: MakeBoard) -> None:
    board = make_board()
    board.start()
    Driver(board.address).close()
    waiting = [socket.create_connection((board.address, LINK_PORT), 5) for _ in range(3)]
    began = time.monotonic()
    driver = Driver(board.address)
    assert driver.boot
    assert time.monotonic() - began < AUTH_MS / 1000
    began = time.monotonic()
    for s in waiting:
        s.settimeout(10)
        while s.recv(100):
            pass
        s.close()
    wait_for(
        "the count",
        lambda: sum(_refused(driver).get(kind, 0) for kind in ("silent", "crowded")) == 3,
    )
    assert not driver.closed


def test_more_peers_than_seats_are_told_so_and_a_box_comes_before_a_client(
    make_board: MakeBoard,
) -> None:
    board = make_board()
    board.start()
    boxes = [Driver(board.address, f"box-{number}") for number in (1, 2)]
    client = Driver(board.address, "client-1", role=mux.ROLE_CLIENT)
    late = Driver(board.address, "client-2", role=mux.ROLE_CLIENT)
    wait_for("the refusal", lambda: late.closed)
    assert late.goodbye == mux.REASON_CROWDED
    third = Driver(board.address, "box-3")
    assert third.boot
    wait_for("the client's end", lambda: client.closed)
    assert client.goodbye == mux.REASON_CROWDED
    assert not any(box.closed for box in boxes)


def test_a_box_lists_adopts_and_forgets_a_board(make_board: MakeBoard, tmp_path: Path) -> None:
    # New boards of other tests on this machine may be heard, too, but none of this name.
    board = make_board("porch", installation=None)

    async def story() -> None:
        def waits() -> bool:
            return any(found["id"] == "porch" for found in box.status()["unadopted"])

        box_address = board.address.rpartition(".")[0] + ".200"
        async with Box(state=tmp_path / "box", address=box_address, clock_port=0) as box:
            assert box.coordinator is not None
            arranging = box.coordinator.arranging
            board.start()
            await until(waits, "the board is listed")
            with pytest.raises(RpcError, match="serial console"):
                await arranging.adopt("porch", "AAAA-BBBB-2222")
            with pytest.raises(RpcError, match=r"no board hall waits.*porch"):
                await arranging.adopt("hall", "AAAA-BBBB-2222")
            code = await asyncio.to_thread(_code, board)
            assert (await arranging.adopt("PORCH", code.lower()))["device"] == "porch"
            await until(lambda: box.status()["rooms"], "it has a room")
            await until(lambda: _connected(box), "it is linked")
            assert not waits()
            await arranging.forget("porch")
            await until(waits, "it waits to be adopted again")

    asyncio.run(story())


def _connected(box: Box) -> bool:
    rooms = box.status()["rooms"]
    return bool(rooms) and all(d["connected"] for room in rooms for d in room["devices"])


def test_a_nonce_is_drawn_for_each_connection() -> None:
    hellos = {
        Handshake(member("box"), mux.ROLE_BOX, True, secrets.token_bytes(16)).hello
        for _ in range(50)
    }
    assert len(hellos) == 50
