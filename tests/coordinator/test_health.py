"""Health of devices, rooms, groups and the house, in words."""

import pytest

from storagebox.coordinator import health
from storagebox.coordinator.health import FAIR, GONE, GOOD, POOR, SILENT, Health
from storagebox.coordinator.readings import Window

WELL = Health()
GAPS = Health(POOR, "4 gaps in 10 s")
SLOW = Health(FAIR, "slow network, round trips of 200 ms")
OFF = Health(GONE, "timed out")


@pytest.mark.parametrize(
    ("window", "level", "word"),
    [
        (Window(state="playing", buffer_min_ms=150, rssi=-60, rtt_p95_ms=8.0), GOOD, ""),
        (Window(), GOOD, ""),
        (Window(underruns=1), FAIR, "a gap"),
        (Window(underruns=4), POOR, "4 gaps"),
        (Window(late_chunks=9), FAIR, "9 chunks came late"),
        (Window(state="playing", buffer_min_ms=20), FAIR, "buffer fell to 20 ms"),
        (Window(rssi=-75), FAIR, "weak Wi-Fi, -75 dBm"),
        (Window(rssi=-85), POOR, "weak Wi-Fi"),
        (Window(rtt_p95_ms=300.0), FAIR, "round trips of 300 ms"),
        (Window(heap_free=1900), FAIR, "1900 bytes"),
        (Window(state="syncing"), FAIR, "house time"),
        (Window(underruns=5, rssi=-75), POOR, "5 gaps"),
    ],
)
def test_a_device_is_as_well_as_its_worst_figure(window: Window, level: str, word: str):
    found = health.of_device(window, connected=True)
    assert found.level == level
    assert word in found.reason


def test_a_device_that_is_not_connected_is_gone_for_the_reason_given():
    assert health.of_device(Window(), connected=False, why_not="timed out") == OFF


def test_a_verdict_counts_unless_the_device_is_worse_by_itself():
    verdict = Health(SILENT, "answers but plays nothing")
    assert health.of_device(Window(underruns=5), connected=True, verdict=verdict) == verdict
    assert health.of_device(Window(), connected=False, verdict=verdict).level == GONE


def test_a_solo_room_is_its_device():
    assert health.of_room([("both", SLOW)]) == SLOW


@pytest.mark.parametrize("lost", [OFF, Health(SILENT, "answers but plays nothing")])
def test_a_pair_without_one_half_is_poor_and_says_which(lost: Health):
    found = health.of_room([("left", WELL), ("right", lost)])
    assert found == Health(POOR, f"the right half is {lost.level}, the other plays mono")


def test_a_pair_without_both_halves_is_gone():
    assert health.of_room([("left", OFF), ("right", OFF)]).level == GONE


def test_a_pair_with_both_halves_is_as_well_as_the_worse():
    assert health.of_room([("left", WELL), ("right", GAPS)]).reason == "right: 4 gaps in 10 s"


@pytest.mark.parametrize(
    ("rooms", "level", "reason"),
    [
        ([("Kitchen", WELL), ("Bath", WELL)], GOOD, ""),
        ([("Kitchen", WELL), ("Bath", SLOW)], FAIR, f"Bath: {SLOW.reason}"),
        ([("Kitchen", OFF), ("Bath", WELL)], POOR, "Kitchen: timed out"),
        (
            [("Kitchen", OFF), ("Bath", OFF), ("Attic", WELL)],
            POOR,
            "Kitchen: timed out, 1 more",
        ),
        ([("Kitchen", OFF), ("Bath", OFF)], GONE, "all rooms are gone"),
        ([("Kitchen", OFF)], GONE, "timed out"),
        ([], GOOD, ""),
    ],
)
def test_a_group_is_as_well_as_its_rooms(rooms: list[tuple[str, Health]], level: str, reason: str):
    assert health.of_group(rooms) == Health(level, reason)
