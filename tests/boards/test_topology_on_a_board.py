"""The firmware's topology in the flash of an emulated board, and what damage to flash does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from boards.emulated.board import EmulatedBoard
from phantom.rpc import RpcError
from phantom.topology import Topology
from storagebox.coordinator.topology import TopologyKeeper
from storagebox.store.sqlite import SqliteStore
from tests.boards.driver import Driver, wait_for

MakeBoard = Callable[..., EmulatedBoard]


class Peer:
    """A driver as the keeper wants it."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def call(self, method: str, params: Mapping[str, Any]) -> Any:
        answer = self._driver.call(method, **params)
        if "error" in answer:
            raise RpcError(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]


def _with_keeper(path: Path, driver: Driver, *edits: Callable[[TopologyKeeper], Any]) -> str:
    """Make edits on a box whose store is at `path`, sync the board; returns the box's digest."""

    async def run() -> str:
        store = await SqliteStore.open(path)
        keeper = TopologyKeeper(store, "box", lambda: [("kitchen", "kitchen"), ("bath", "bath")])
        await keeper.load()
        for edit in edits:
            await edit(keeper)
        assert await keeper.sync(Peer(driver))
        await store.close()
        return keeper.digest

    return asyncio.run(run())


def _property(driver: Driver, name: str) -> Any:
    return driver.call("properties.read", names=[name])["result"]["values"][name]


def _wait_until_saved(board: EmulatedBoard, driver: Driver) -> None:
    # It answers the same before and after the save: the flash itself tells.
    known = Topology()
    known.merge(driver.call("topology.get")["result"]["entries"])
    lines = "\n".join(known.lines()).encode()
    wait_for("the save", lambda: (board.flash_file("topology") or b"").startswith(lines))


def test_a_board_keeps_its_topology_over_a_power_cut_and_catches_up_later(
    make_board: MakeBoard, tmp_path: Path
) -> None:
    board = make_board()
    board.start()
    driver = Driver(board.address)
    store = tmp_path / "store.sqlite"
    first = _with_keeper(
        store,
        driver,
        lambda keeper: keeper.name_device("kitchen", "Küche"),
        lambda keeper: keeper.trim("kitchen", trim_us=700, max_volume=6000),
        lambda keeper: keeper.pair("kitchen", "bath", "Living room"),
    )
    assert _property(driver, "device.name") == "Küche"
    assert _property(driver, "topology.digest") == first
    _wait_until_saved(board, driver)
    board.kill()
    board.start()
    driver = Driver(board.address)
    assert _property(driver, "device.name") == "Küche"
    assert _property(driver, "topology.digest") == first
    # While it is off, the house changes.
    board.kill()
    later = make_board("bath")
    later.start()
    second = _with_keeper(
        store, Driver(later.address), lambda keeper: keeper.name_device("kitchen", "Kitchen")
    )
    board.start()
    driver = Driver(board.address)
    assert _property(driver, "topology.digest") == first
    assert _with_keeper(store, driver) == second
    assert _property(driver, "device.name") == "Kitchen"


def test_a_board_with_garbage_for_a_topology_comes_up_and_learns_it_anew(
    make_board: MakeBoard, tmp_path: Path
) -> None:
    garbage = b"\xff\x00\n\x01garbage" * 50
    board = make_board(files={"topology": garbage, "topology.old": garbage})
    board.start()
    driver = Driver(board.address)
    assert "learnt anew" in _property(driver, "device.faults")[0]
    digest = _with_keeper(
        tmp_path / "store.sqlite", driver, lambda keeper: keeper.name_device("kitchen", "Küche")
    )
    _wait_until_saved(board, driver)
    board.kill()
    board.start()
    driver = Driver(board.address)
    assert _property(driver, "topology.digest") == digest
    assert _property(driver, "device.faults") == []


def test_a_board_whose_config_is_damaged_is_itself_from_the_second_copy(
    make_board: MakeBoard,
) -> None:
    board = make_board(room="Küche")
    board.start()
    Driver(board.address).call("device.info")
    board.kill()
    board.edit_flash({"device.json": b"\xff garbage", "board.json": "{"})
    board.start()
    driver = Driver(board.address)
    assert driver.call("device.info")["result"]["id"] == "kitchen"
    assert _property(driver, "device.name") == "Küche"
    assert len(_property(driver, "device.faults")) == 2
    assert "device.json is damaged" in board.log()
    assert "result" in driver.call("renderer.open", stream=1, start_us=1 << 40, channels=1)


def test_a_board_with_garbage_in_both_copies_comes_up_under_its_chip_id(
    make_board: MakeBoard,
) -> None:
    board = make_board(files={"device.json": "garbage", "device.json.old": b"\xff\xff"})
    board.start()
    driver = Driver(board.address)
    info = driver.call("device.info")["result"]
    assert len(info["id"]) == 12
    assert int(info["id"], 16) >= 0
    assert info["name"] == info["id"]
    assert "device.json is damaged" in board.log()


def test_a_board_that_knows_no_pins_answers_and_says_why_it_is_silent(
    make_board: MakeBoard,
) -> None:
    board = make_board(files={"board.json": "garbage"})
    board.start()
    driver = Driver(board.address)
    assert driver.call("device.info")["result"]["board"] == "unknown"
    refused = driver.call("renderer.open", stream=1, start_us=1 << 40, channels=1)["error"]
    assert refused["code"] == -32003
    assert "provisioned again" in refused["message"]
    assert "board.json" in board.log()
    wait_for("reports", lambda: len(driver.reports) > 2)
    assert driver.reports[-1]["state"] in ("idle", "syncing")
