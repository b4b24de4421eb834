"""Who was chosen and why, from what beacons and devices say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from phantom.timekeeper import KEEPS_TIME, Timekeeper
from phantom.wire import mux
from storagebox.coordinator import choices
from storagebox.coordinator.choices import Asking, Choice, Keeper
from storagebox.coordinator.memo import Memo
from storagebox.journal import Journal
from tests.coordinator.linked_device import LinkedDevice
from tests.standins import until

BOX_A, BOX_B = Keeper("box-a", is_box=True), Keeper("box-b", is_box=True)
KITCHEN, BATH = Keeper("kitchen", is_box=False), Keeper("bath", is_box=False)


def time(keepers: list[Keeper], **asking: Asking) -> list[tuple[str | None, tuple[str, ...], str]]:
    found = choices.of_time(keepers, {who.replace("_", "-"): a for who, a in asking.items()})
    assert all(choice.what == choices.TIME for choice in found)
    return [(choice.who, choice.by, choice.because) for choice in found]


def test_one_box_is_chosen_because_it_is_the_only_one():
    asking = {
        "box_a": Asking(None, keeps=True),
        "kitchen": Asking("box-a"),
        "bath": Asking("box-a"),
    }
    told = ("box-a", ("kitchen", "bath"), "the only box that keeps time")
    assert time([BOX_A, KITCHEN], **asking) == [told]


def test_of_several_boxes_the_lowest_id_is_chosen_also_by_this_box():
    asking = {"box_b": Asking("box-a", keeps=True), "kitchen": Asking("box-a")}
    told = ("box-a", ("box-b", "kitchen"), "lowest id of 2 boxes that keep time")
    assert time([BOX_B, BOX_A], **asking) == [told]


def test_who_chose_another_than_the_rest_comes_after_them():
    asking = {
        "kitchen": Asking("box-b"),
        "bath": Asking("box-a"),
        "attic": Asking("box-a"),
        "cellar": Asking("10.0.0.9"),
        "shed": Asking("box-0"),
    }
    assert time([BOX_A, BOX_B], **asking) == [
        ("box-a", ("bath", "attic"), "lowest id of 2 boxes that keep time"),
        ("box-b", ("kitchen",), "chosen before box-a came, or does not hear it"),
        ("10.0.0.9", ("cellar",), "a box named that address"),
        ("box-0", ("shed",), "kept time when it was chosen"),
    ]


def test_who_asks_nobody_keeps_time_itself_or_has_none():
    asking = {
        "kitchen": Asking(None, keeps=True),
        "bath": Asking(None),
        "attic": Asking(None, synced=False),
    }
    assert time([BOX_A], **asking) == [
        ("kitchen", ("kitchen",), "keeps time itself; asks nobody"),
        ("bath", ("bath",), "goes on by what it knew; asks nobody"),
        (None, ("attic",), "does not know the time yet"),
        ("box-a", (), "the only box that keeps time"),
    ]


@pytest.mark.parametrize(
    ("keepers", "why"),
    [
        ([BATH], "the only device that keeps time"),
        ([KITCHEN, BATH], "lowest id of 2 devices that keep time"),
    ],
)
def test_without_a_box_a_device_is_chosen(keepers: list[Keeper], why: str):
    asking = {"bath": Asking(None, keeps=True), "kitchen": Asking("bath", keeps=True)}
    assert time(keepers, **asking) == [("bath", ("kitchen",), why)]


def test_in_a_house_where_nobody_keeps_time_nobody_is_chosen():
    assert time([]) == []
    assert time([], kitchen=Asking(None, synced=False)) == [
        (None, ("kitchen",), "does not know the time yet")
    ]


@dataclass
class Peer:
    id: str
    role: int = mux.ROLE_DEVICE
    flags: int = KEEPS_TIME
    services: Mapping[str, int] = field(default_factory=lambda: {"clock": 4771})


def test_whom_the_rule_says_is_whom_devices_elect():
    peers = [
        Peer("attic"),
        Peer("box-b", mux.ROLE_BOX),
        Peer("box-a", mux.ROLE_BOX),
        Peer("a-client", mux.ROLE_CLIENT, flags=0),
        Peer("a-mute-box", mux.ROLE_BOX, services={}),
    ]
    keeper = Timekeeper("kitchen", 0)
    keeper.turn(peers, False, False, False, 0)
    assert keeper.server is not None
    (choice,) = choices.of_time(
        choices.keepers(peers), {"kitchen": Asking(keeper.server.id, synced=False)}
    )
    assert choice == Choice(
        choices.TIME, "box-a", ("kitchen",), "lowest id of 2 boxes that keep time"
    )


def test_rooms_are_told_with_the_box_that_sends_to_them():
    rooms = [
        ("Kitchen", [(True, "box-a")]),
        ("Living room", [(True, "box-a"), (True, None)]),
        ("Bath", [(False, None)]),
        ("Study", [(False, "box-b"), (False, "box-b")]),
        ("Attic", [(True, "box-b")]),
    ]
    assert choices.of_sound("box-a", rooms) == [
        Choice(choices.SOUND, "box-a", ("Kitchen", "Living room"), choices.ASKED_TO_PLAY),
        Choice(choices.SOUND, "box-b", ("Study",), choices.SAID_BY_DEVICES),
        Choice(choices.SOUND, "box-b", ("Attic",), choices.SENDS_TOO),
    ]


def test_a_device_says_whose_stream_is_open_there_and_whom_it_asks():
    memo = Memo(5, "box-b", "g1", ("study",), "playing", "s1", 7)

    async def story() -> None:
        linked = LinkedDevice(
            "study",
            Journal(None),
            clock_server="box-a",
            clock_synced=True,
            clock_keeps=False,
            renderer_session=memo.dumps("study"),
            renderer_stream=7,
        )
        assert Asking.told(linked.device.properties.values) is None
        assert linked.device.fed_by is None
        await linked.come()
        assert Asking.told(linked.device.properties.values) == Asking("box-a")
        assert linked.device.fed_by == "box-b"
        linked.tell("renderer.stream", None)
        await until(lambda: linked.device.fed_by is None, "its stream is closed")

    asyncio.run(story())
