"""A board's address changes under it, in a virtual network: it says so, and goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from boards.emulated.board import EmulatedBoard
from boards.emulated.network import VirtualNetwork
from phantom.wire import mux
from tests.networks import open_network
from tools.bench.watcher import Watcher
from tools.demo.installation import INSTALLATION


def _box(network: VirtualNetwork, name: str, address: str) -> Watcher:
    return Watcher(
        network.station(name, address, profile="wired").popen, id=name, role=mux.ROLE_BOX
    )


def test_a_new_address_is_told_within_three_seconds_and_the_board_still_hears(
    tmp_path: Path, micropython: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHANTOM_MICROPYTHON", micropython)
    with open_network("wifi", seed=3) as network:
        watcher = _box(network, "box", "10.77.0.2")
        watcher.wait("started", "box")
        station = network.station("kitchen", "10.77.0.11")
        board = EmulatedBoard(
            "kitchen",
            workdir=tmp_path,
            address="10.77.0.11",
            launch=station.popen,
            installation=INSTALLATION,
        )
        board.start()
        try:
            assert watcher.wait("added", "kitchen")["addresses"] == ["10.77.0.11"]
            changed_ns = time.monotonic_ns()
            station.change_address("10.77.0.77")
            moved = watcher.wait("updated", "kitchen", changed_ns)
            assert moved["reason"] == "moved"
            assert moved["addresses"] == ["10.77.0.77"]
            assert moved["at_ns"] - changed_ns < 3_000_000_000
            # It hears at its new address: a box that starts afresh gets its answers at once.
            second = _box(network, "other", "10.77.0.3")
            assert second.wait("added", "kitchen")["addresses"] == ["10.77.0.77"]
            assert not [event for event in watcher.events if event["kind"] == "removed"]
        finally:
            board.stop()
