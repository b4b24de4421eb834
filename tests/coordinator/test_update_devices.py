"""Devices of the house as updates see them: what they say, and who is meant."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from phantom.rpc import CLOSED, RpcError
from storagebox.coordinator.device import Device
from storagebox.coordinator.rooms import Rooms
from storagebox.coordinator.roster import Roster
from storagebox.coordinator.session import Session
from storagebox.coordinator.topology import System, TopologyKeeper
from storagebox.coordinator.updates.devices import DeviceCandidate, candidates_of
from storagebox.journal import Journal
from tests.coordinator.linked_device import LinkedDevice

SAYS = {
    "update_state": {"state": "trial", "done": 0, "of": 0},
    "update_slot": "b",
    "update_arch": "xtensawin",
    "update_failed": ["0.0.9"],
    "renderer_state": "idle",
}


def seen(linked: LinkedDevice) -> DeviceCandidate:
    return DeviceCandidate("kitchen", linked.device, "Kitchen", lambda _: "switched off")


async def linked(**properties: Any) -> LinkedDevice:
    found = LinkedDevice("kitchen", Journal(stream=None), **properties)
    await found.come()
    return found


def test_a_board_is_what_it_says():
    async def story() -> None:
        board = seen(await linked(**SAYS))
        assert (board.connected, board.boot, board.board) == (True, 7, "esp32_generic_s3")
        assert (board.version, board.slot, board.arch, board.safe) == (
            "0.2.0",
            "b",
            "xtensawin",
            False,
        )
        assert (board.update["state"], board.failed, board.idle) == ("trial", ["0.0.9"], True)

    asyncio.run(story())


def test_one_that_says_nothing_or_nonsense_takes_no_updates_and_breaks_nothing():
    async def story() -> None:
        for says in ({}, dict.fromkeys(SAYS), {"update_state": [], "update_failed": {"a": 1}}):
            board = seen(await linked(**says))
            assert (board.slot, board.arch, board.failed) == ("", "", [])
            assert board.update == {}
            assert board.idle

    asyncio.run(story())


@pytest.mark.parametrize("state", ["syncing", "waiting", "playing", "starved"])
def test_it_is_idle_while_nothing_plays_nor_is_about_to(state: str):
    async def story() -> None:
        found = await linked(**SAYS)
        board = seen(found)
        assert board.idle
        found.tell("renderer.state", state)
        assert not board.idle
        found.tell("renderer.state", "idle")
        found.device.session = cast("Session", object())
        assert not board.idle
        found.device.session = None
        assert board.idle
        found.go()
        assert not board.idle

    asyncio.run(story())


class Playing:
    """Stands where the session would: it plays on."""

    draining = False


def test_one_that_plays_is_unhurried_while_it_holds_a_second():
    async def story() -> None:
        found = await linked(**SAYS)
        board = seen(found)
        assert board.unhurried
        found.device.session = cast("Session", Playing())
        found.tell("renderer.state", "playing")
        assert not board.unhurried  # it has not reported yet
        for held_ms, calm in ((192, False), (999, False), (1000, True), (0, False)):
            found.report(state="playing", buffer_ms=held_ms)
            assert board.unhurried is calm
        found.report(state="playing", buffer_ms=1400)
        assert board.unhurried
        found.go()
        assert not board.unhurried

    asyncio.run(story())


def test_one_that_has_gone_is_known_as_it_was():
    async def story() -> None:
        found = await linked(**SAYS)
        board = seen(found)
        assert board.version == "0.2.0"
        found.go()
        assert (board.connected, board.boot, board.version) == (False, 0, "0.2.0")
        assert board.why_away == "switched off"
        with pytest.raises(RpcError) as caught:
            await board.call("update.begin", {})
        assert caught.value.code == CLOSED

    asyncio.run(story())


def test_one_of_the_topology_that_was_never_found_is_away():
    async def story() -> None:
        board = DeviceCandidate("den", None, "Den", lambda _: "never seen: is it switched on?")
        assert not board.connected
        assert not board.idle
        assert not board.unhurried
        assert (board.boot, board.version, board.slot, board.failed) == (0, "", "", [])
        with pytest.raises(RpcError, match="den is away: never seen: is it switched on"):
            await board.upload(b"", "update", lambda: False)

    asyncio.run(story())


class Found:
    """Stands where the roster would: devices by id, in the order in which they were found."""

    def __init__(self, *devices: Device) -> None:
        self._devices = {device.id: device for device in devices}

    def __iter__(self) -> Any:
        return iter(self._devices.values())

    def get(self, identity: str) -> Device | None:
        return self._devices.get(identity)

    def why_gone(self, identity: str) -> str:
        return f"why {identity} has gone"


class Kept:
    """Stands where the topology's keeper would."""

    def systems(self) -> list[System]:
        return [
            System("kitchen", "Kitchen", (("kitchen", "both"),)),
            System("den-l", "Den", (("den-l", "left"), ("den-r", "right"))),
        ]


def test_all_are_those_of_the_topology_and_whoever_else_was_found():
    async def story() -> None:
        journal = Journal(stream=None)
        devices = [LinkedDevice(name, journal).device for name in ("guest", "den-r", "kitchen")]
        roster = cast("Roster", Found(*devices))
        rooms = Rooms(cast("TopologyKeeper", Kept()), roster, 1, lambda: None)
        rooms.refresh()
        candidates = candidates_of(rooms, roster)
        assert [(board.id, board.room) for board in candidates(None)] == [
            ("kitchen", "Kitchen"),
            ("den-l", "Den"),
            ("den-r", "Den"),
            ("guest", ""),
        ]
        assert [board.id for board in candidates(["den"])] == ["den-l", "den-r"]
        assert candidates(["den"])[0].why_away == "why den-l has gone"
        with pytest.raises(RpcError, match="no room 'Attic'"):
            candidates(["Attic"])

    asyncio.run(story())
