"""The failure matrix: what goes wrong in homes, tried in a house of eight boards on Wi-Fi.

Each test is a row of docs/failures.md, with its limit in seconds and what must be true after, with
nobody's help. Limits are several times what is measured on a quiet machine: they tell a fault
that heals from one that doesn't. What was measured goes to build/house/failures.json.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from tests.house.eight import ROOMS, Eight
from tests.house.truth import all_faults, now_us, until_back

# What a house needs to be as it was, in seconds after the fault has gone.
BACK_S = 15.0
# A device is listed as gone.
GONE_S = 4.0
# A box that starts anew is a process, a source and a decoder that have to start as well.
RESTART_S = 20.0


def test_a_board_loses_power_and_returns(eight: Eight):
    truth = eight.play_everywhere()
    begun = now_us()
    eight.board("kitchen").kill()
    eight.measure("gone", eight.until(lambda: not eight.device("kitchen")["connected"], GONE_S))
    time.sleep(1.0)
    powered = now_us()
    eight.board("kitchen").start()
    eight.measure("back", until_back(truth, *eight.ear("kitchen"), powered, BACK_S))
    others = [ear for ear in eight.ears() if ear[0].name != "kitchen"]
    assert all_faults(truth, others, begun, now_us() - 500_000) == []


def test_half_of_a_pair_loses_power_and_the_other_half_plays_both_channels(eight: Eight):
    truth = eight.play_everywhere()
    lost = now_us()
    eight.board("living-left").kill()
    right = eight.board("living-right")
    eight.measure("mono", until_back(truth, right, "mono", lost, 3.0))
    powered = now_us()
    eight.board("living-left").start()
    eight.measure("back", until_back(truth, *eight.ear("living-left"), powered, BACK_S))
    eight.measure("stereo", until_back(truth, right, "right", powered, BACK_S))
    others = [ear for ear in eight.ears() if not ear[0].name.startswith("living")]
    assert all_faults(truth, others, lost, now_us() - 500_000) == []


def test_the_box_is_killed_while_three_groups_play_and_starts_again(eight: Eight):
    truths = eight.play_in_three_groups()
    before = eight.groups()
    volumes = eight.volumes()
    eight.kill_box()
    time.sleep(1.0)
    started = now_us()
    eight.start_box()
    eight.measure(
        "rebuilt", eight.until(lambda: eight.groups() == before, RESTART_S, since=started)
    )
    for name, truth in truths.items():
        for board, pick in eight.ears(*name):
            eight.measure("sound", until_back(truth, board, pick, started, RESTART_S))
    assert eight.volumes() == volumes


def test_rooms_join_leave_and_move_and_nobody_else_hears_of_it(eight: Eight):
    truths = eight.play_in_three_groups()
    (kitchens, pair, rest) = truths
    begun = now_us()
    eight.call("group", rooms=["Kitchen", "Hall"])
    hall, pick = eight.ear("hall")
    eight.measure("moved", until_back(truths[kitchens], hall, pick, begun, BACK_S))
    eight.call("ungroup", rooms=["Attic"])
    time.sleep(1.0)
    assert truths[rest].played(*eight.ear("attic"), now_us() - 500_000).time_ns.size == 0
    joined = now_us()
    eight.call("group", rooms=["Living room", "Attic"])
    eight.measure("joined", until_back(truths[pair], *eight.ear("attic"), joined, BACK_S))
    until_us = now_us() - 500_000
    for names in (kitchens, pair, ("bedroom", "scullery")):
        truth = truths[rest if names[0] == "bedroom" else names]
        assert all_faults(truth, eight.ears(*names), begun, until_us) == []


def test_the_access_point_is_off_for_ten_seconds(eight: Eight):
    truth = eight.play_everywhere()
    eight.network.off(10.0)
    time.sleep(10.0)
    again = now_us()
    for board, pick in eight.ears():
        eight.measure("back", until_back(truth, board, pick, again, BACK_S))


def test_the_house_is_split_in_two_and_healed(eight: Eight):
    truth = eight.play_everywhere()
    apart = [eight.station(name) for name in ("bedroom", "study", "hall", "attic")]
    with_box = [ear for ear in eight.ears() if ear[0].name not in {s.name for s in apart}]
    split = now_us()
    eight.network.cut(apart)
    time.sleep(8.0)
    eight.network.heal()
    healed = now_us()
    for name in ("bedroom", "study", "hall", "attic"):
        eight.measure("back", until_back(truth, *eight.ear(name), healed, BACK_S))
    assert all_faults(truth, with_box, split, now_us() - 500_000) == []


def test_a_boards_address_changes(eight: Eight):
    truth = eight.play_everywhere()
    begun = now_us()
    eight.station("study").change_address("10.77.0.150")
    eight.measure(
        "listed", eight.until(lambda: eight.device("study")["address"] == "10.77.0.150", 4.0)
    )
    eight.measure("back", until_back(truth, *eight.ear("study"), begun, BACK_S))
    others = [ear for ear in eight.ears() if ear[0].name != "study"]
    assert all_faults(truth, others, begun, now_us() - 500_000) == []


def test_two_boards_have_the_same_name(eight: Eight):
    assert sorted(eight.room_names()) == sorted(ROOMS)
    eight.call("volume", rooms=["Kitchen 2"], value=31)
    eight.measure("obeyed", eight.until(lambda: 31 in eight.volumes().values(), 4.0))
    first, second = eight.device("kitchen"), eight.device("scullery")
    assert sorted((first["volume"], second["volume"]))[0] == 31
    assert first["volume"] != second["volume"]
    eight.call("volume", rooms=["Kitchen 2"], value=100)


def test_a_board_of_another_installation_appears(eight: Eight):
    truth = eight.play_everywhere()
    begun = now_us()
    stranger = eight.stranger("next-door")
    try:
        stranger.start()
        time.sleep(5.0)
        status = eight.status()
        assert "next-door" not in json.dumps(
            [status["rooms"], status["groups"], status["unadopted"]]
        )
        assert eight.truly_silent(stranger)
        assert all_faults(truth, eight.ears(), begun, now_us() - 500_000) == []
    finally:
        stranger.stop()


def test_a_board_has_garbage_in_its_flash_config(eight: Eight):
    truth = eight.play_everywhere()
    board = eight.board("attic")
    board.kill()
    eight.spoil_flash("attic", ["device.json", "topology", "boots.json"])
    powered = now_us()
    board.start()
    eight.measure("back", until_back(truth, *eight.ear("attic"), powered, BACK_S))
    assert "Attic" in eight.room_names()


def test_the_boxs_wall_clock_jumps_a_year(eight: Eight):
    truth = eight.play_everywhere()
    begun = now_us()
    eight.shift_wall_clock(365 * 86400)
    time.sleep(6.0)
    eight.shift_wall_clock(0)
    time.sleep(3.0)
    assert all_faults(truth, eight.ears(), begun, now_us() - 500_000) == []
    eight.shift_wall_clock(-365 * 86400)
    assert eight.box_says_year() < datetime.now(UTC).year
    eight.shift_wall_clock(0)


def test_a_third_of_a_boards_frames_are_lost_for_half_a_minute(eight: Eight):
    truth = eight.play_everywhere()
    begun = now_us()
    eight.network.loss("hall", 0.3)
    time.sleep(30.0)
    eight.network.loss("hall", None)
    mended = now_us()
    eight.measure("back", until_back(truth, *eight.ear("hall"), mended, 40.0))
    others = [ear for ear in eight.ears() if ear[0].name != "hall"]
    assert all_faults(truth, others, begun, now_us() - 500_000) == []


def test_a_device_answers_but_plays_nothing(eight: Eight):
    truth = eight.play_everywhere()
    begun = now_us()
    eight.board("bedroom").wedge_dac()
    eight.measure("told", eight.until(lambda: "plays nothing" in eight.told("bedroom"), 15.0))
    eight.measure("back", until_back(truth, *eight.ear("bedroom"), begun, 40.0))
    others = [ear for ear in eight.ears() if ear[0].name != "bedroom"]
    assert all_faults(truth, others, begun, now_us() - 500_000) == []
