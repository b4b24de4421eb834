"""The access point's decisions, with a clock of the test's own: no process, no namespace."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from random import Random

import pytest

from boards.emulated.network.access_point import AccessPoint, Port
from boards.emulated.network.histogram import Histogram
from boards.emulated.network.medium import MS, NEVER, SECOND, Medium, Stalls
from boards.emulated.network.profiles import PROFILES, Profile, Spread, profile_named

WIRED, WIFI, BAD = PROFILES["wired"], PROFILES["wifi"], PROFILES["bad-wifi"]
# Wi-Fi with nothing random: what is left is what a test set.
CALM = Profile("calm", True, 750.0, Spread(), Spread(), 150.0, 26.0, 128)
EVERYBODY = b"\xff" * 6


def mac(number: int) -> bytes:
    return bytes((2, 0, 0, 0, 0, number))


def frame(receiver: bytes, length: int = 100, mark: int = 0) -> bytes:
    return receiver + mac(0) + mark.to_bytes(4, "big") + bytes(length - 16)


def mark_of(data: bytes) -> int:
    return int.from_bytes(data[12:16], "big")


class House:
    """An access point with a box on a cable (port 0) and boards (1…), in simulated time."""

    def __init__(self, *profiles: Profile, seed: int = 1) -> None:
        self.point = AccessPoint(profiles[0], seed, 0)
        self.box = self.point.join("box", mac(0), WIRED)
        self.boards = [
            self.point.join(f"board{n}", mac(n), profile)
            for n, profile in enumerate(profiles, start=1)
        ]

    def send(self, sender: Port, receiver: Port | None, at_ns: int, **kind: int) -> None:
        to = EVERYBODY if receiver is None else mac(receiver.index)
        self.point.offer(sender, frame(to, **kind), at_ns)

    def run(self, until_ns: int = NEVER - 1) -> Iterator[tuple[int, Port, bytes]]:
        """What arrives until then: (ns, receiver, frame)."""
        while (at := self.point.next_ns()) <= until_ns:
            yield from self.point.due(at)

    def down_ns(self, count: int, every_ns: int = 50 * MS, length: int = 100) -> dict[int, int]:
        """How long each of so many frames from the box to board1 took, by its number."""
        took: dict[int, int] = {}
        for number in range(count):
            now = number * every_ns
            for at, _, data in self.run(now):
                took[mark_of(data)] = at - mark_of(data) * every_ns
            self.send(self.box, self.boards[0], now, mark=number, length=length)
        for at, _, data in self.run():
            took[mark_of(data)] = at - mark_of(data) * every_ns
        return took

    def round_trips_ms(self, count: int, every_ns: int = 50 * MS) -> list[float]:
        """Sorted round trips box - board1 - box, of those that came back."""
        trips: list[float] = []

        def answer(until_ns: int) -> None:
            for at, receiver, data in self.run(until_ns):
                if receiver is self.box:
                    trips.append((at - mark_of(data) * every_ns) / MS)
                else:
                    self.send(self.boards[0], self.box, at, mark=mark_of(data))

        for number in range(count):
            answer(number * every_ns)
            self.send(self.box, self.boards[0], number * every_ns, mark=number)
        answer(NEVER - 1)
        return sorted(trips)


def at_percent(ordered: list[float], percent: float) -> float:
    return ordered[int(len(ordered) * percent / 100)]


def test_a_cables_round_trip_is_four_tenths_of_a_millisecond_and_nothing_is_lost():
    trips = House(WIRED).round_trips_ms(2000)
    assert len(trips) == 2000
    assert 0.36 < trips[0] <= at_percent(trips, 99) < 0.45


def test_wifi_round_trips_are_2_to_30_ms_with_a_heavy_tail():
    trips = House(WIFI).round_trips_ms(10_000)
    assert 2.0 < trips[0] < 2.4
    assert 3.0 < at_percent(trips, 50) < 4.5
    assert 8.0 < at_percent(trips, 95) < 13.0
    assert 18.0 < at_percent(trips, 99) < 30.0
    assert at_percent(trips, 99) > 5 * at_percent(trips, 50)


def test_bad_wifi_is_worse_than_wifi_everywhere_but_at_the_minimum():
    good, bad = House(WIFI).round_trips_ms(5000), House(BAD).round_trips_ms(5000)
    assert bad[0] == pytest.approx(good[0], rel=0.3)
    for percent in (50, 95, 99):
        assert at_percent(bad, percent) > 1.5 * at_percent(good, percent)


@pytest.mark.parametrize("profile", [WIFI, BAD])
def test_up_and_down_have_the_same_minimum_and_different_shapes(profile: Profile):
    house = House(replace(profile, stall_every_s=0.0))
    up: list[float] = []
    down: list[float] = []
    for number in range(4000):
        now = number * 500 * MS
        house.send(house.box, house.boards[0], now)
        house.send(house.boards[0], house.box, now + 250 * MS)
        for at, receiver, _ in house.run(now + 499 * MS):
            if receiver is house.box:
                up.append((at - now) / MS - 250)
            else:
                down.append((at - now) / MS)
    assert min(up) == pytest.approx(min(down), abs=0.06)
    assert at_percent(sorted(up), 50) > 1.1 * at_percent(sorted(down), 50)


@pytest.mark.parametrize("profile", [WIFI, BAD])
@pytest.mark.parametrize("every_ms", [5, 200])
def test_the_profiles_share_of_frames_is_lost_in_each_direction(profile: Profile, every_ms: int):
    count = 20_000
    delivered = len(House(profile).down_ns(count, every_ms * MS))
    assert 1 - delivered / count == pytest.approx(profile.loss_ratio, rel=0.25)


def test_losses_come_in_bursts_when_frames_follow_each_other_closely():
    arrived = House(WIFI).down_ns(40_000, 2 * MS).keys()
    lost = sorted(set(range(40_000)) - arrived)
    followed = sum(1 for a, b in pairwise(lost) if b == a + 1)
    assert followed / len(lost) == pytest.approx(WIFI.loss_burst, abs=0.1)


def test_frames_of_one_station_never_overtake_each_other():
    house = House(BAD, BAD)
    chance = Random(3)
    now = 0
    seen: dict[tuple[str, int], int] = defaultdict(lambda: -1)
    for number in range(5000):
        now += int(chance.expovariate(1.0) * MS)
        sender, receiver = chance.choice(
            [(house.box, house.boards[0]), (house.boards[0], house.box), tuple(house.boards)]
        )
        house.send(sender, receiver, now, mark=number << 4 | sender.index)
        for _, receiver, data in house.run(now):
            way = receiver.name, mark_of(data) & 15
            assert mark_of(data) > seen[way]
            seen[way] = mark_of(data)
    assert len(seen) == 3


def test_a_station_stalls_about_once_a_minute_for_100_to_300_ms():
    stalls = Stalls(WIFI, Random(1), 0)
    begins: list[int] = []
    now = 0
    while now < 20 * 3600 * SECOND:
        assert 100 * MS <= stalls.end_ns - stalls.begin_ns <= 300 * MS
        begins.append(stalls.begin_ns)
        now = stalls.end_ns
        stalls.hold(now, now)
    gaps = [b - a for a, b in pairwise(begins)]
    assert sum(gaps) / len(gaps) / SECOND == pytest.approx(60, rel=0.1)


def test_frames_wait_out_a_stall_and_then_drain_at_the_mediums_pace():
    house = House(CALM)
    house.point.stall(house.boards[0], 200 * MS, 10 * MS)
    for number in range(4):
        house.send(house.box, house.boards[0], 20 * MS + number * MS, length=1500, mark=number)
    arrivals = [at for at, _, _ in house.run()]
    airtime = 150_000 + 1500 * 8000 / 26
    assert arrivals[0] == 210 * MS
    assert [b - a for a, b in pairwise(arrivals)] == pytest.approx([airtime] * 3, abs=2)


def test_a_forced_stall_makes_one_that_is_on_longer_and_never_shorter():
    stalls = Stalls(CALM, Random(1), 0)
    stalls.force(1000, 500)
    stalls.force(1100, 100)
    assert stalls.hold(1200, 1300) == 1500
    stalls.force(1400, 500)
    assert stalls.hold(1450, 1600) == 1900
    assert stalls.hold(2000, 2100) == 2100


def test_a_stall_is_one_stations_own():
    house = House(CALM, CALM)
    house.point.stall(house.boards[0], 200 * MS, 0)
    house.send(house.box, house.boards[1], MS)
    assert next(house.run())[0] < 3 * MS


def test_broadcast_waits_for_the_next_dtim_on_wifi_and_not_on_a_cable():
    profile = replace(CALM, dtim_period=2, broadcast_mbit_s=1.0)
    house = House(profile, profile)
    point = house.point
    cable = point.join("nas", mac(9), WIRED)
    arrived: dict[str, list[int]] = defaultdict(list)
    for number in range(40):
        now = number * 317 * MS
        house.send(house.box, None, now, mark=number)
        for at, receiver, _ in house.run(now + 316 * MS):
            arrived[receiver.name].append(at)
            if receiver is cable:
                assert at - now < MS
            else:
                assert at - now < 2 * 102.4 * MS + 3 * MS
    assert arrived["board1"] == arrived["board2"]
    interval = int(2 * 102.4 * MS)
    phases = {at % interval for at in arrived["board1"]}
    assert len(phases) == 1
    waits = [at - n * 317 * MS for n, at in enumerate(arrived["board1"])]
    assert max(waits) > 150 * MS
    assert "box" not in arrived


def test_held_broadcasts_leave_one_behind_the_other_and_only_so_many_are_held():
    house = House(replace(CALM, dtim_period=2))
    for number in range(300):
        house.send(house.box, None, 0, mark=number, length=250)
    arrivals = [at for at, _, _ in house.run()]
    airtime = 150_000 + 250 * 8000
    assert {b - a for a, b in pairwise(arrivals)} == {airtime}
    assert len(arrivals) == pytest.approx(2 * 102.4 * MS / airtime, abs=1)
    assert house.boards[0].broadcasts_lost == 300 - len(arrivals)


def test_broadcast_is_lost_without_retry_at_each_receiver_on_its_own():
    profile = replace(CALM, dtim_period=1, broadcast_mbit_s=1.0, broadcast_loss=0.2)
    house = House(profile, profile)
    got: dict[str, set[int]] = defaultdict(set)
    for number in range(2000):
        house.send(house.box, None, number * 200 * MS, mark=number)
        for _, receiver, data in house.run(number * 200 * MS + 199 * MS):
            got[receiver.name].add(mark_of(data))
    for name in ("board1", "board2"):
        assert 1 - len(got[name]) / 2000 == pytest.approx(0.2, abs=0.03)
    assert len(got["board1"] & got["board2"]) / 2000 == pytest.approx(0.64, abs=0.05)


def test_a_full_queue_drops_the_newest_frames():
    house = House(replace(CALM, queue_frames=10))
    for number in range(15):
        house.send(house.box, house.boards[0], 0, mark=number)
    assert [mark_of(data) for _, _, data in house.run()] == list(range(10))
    assert house.boards[0].down.overflowed == 5
    house.send(house.box, house.boards[0], SECOND, mark=99)
    assert [mark_of(data) for _, _, data in house.run()] == [99]


def test_boards_share_one_air_of_20_mbit_a_second():
    house = House(CALM, CALM)
    frames = 100
    for number in range(frames):
        house.send(house.box, house.boards[number % 2], 0, length=1500)
    last = max(at for at, _, _ in house.run())
    assert frames * 1500 * 8 / (last / SECOND) / 1e6 == pytest.approx(20, rel=0.1)


def test_cables_do_not_share_and_are_full_duplex():
    house = House(WIRED, WIRED)
    for number in range(100):
        house.send(house.boards[number % 2], house.boards[1 - number % 2], 0, length=1500)
    last = max(at for at, _, _ in house.run())
    assert 50 * 1500 * 8 / (last / SECOND) / 1e6 == pytest.approx(100, rel=0.1)


def test_a_busy_channel_raises_delays_for_seconds_at_a_time():
    medium = Medium(WIFI, Random(1), 0)
    spells: dict[float, list[int]] = defaultdict(list)
    now = 0
    for _ in range(4000):
        spells[medium.factor].append(medium.switch_ns - now)
        now = medium.switch_ns
        medium.switch(now)
    assert spells.keys() == {1.0, WIFI.busy_factor}
    means = {factor: sum(spell) / len(spell) / SECOND for factor, spell in spells.items()}
    assert means == pytest.approx({1.0: 10.0, WIFI.busy_factor: 2.5}, rel=0.1)


def test_the_seed_decides_and_nothing_else_does():
    first, again, other = (House(WIFI, seed=seed).down_ns(500) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_neighbour_changes_a_stations_waiting_but_not_its_luck():
    alone, crowded = House(WIFI), House(WIFI, BAD)
    lonely = alone.down_ns(3000, 20 * MS)
    assert crowded.down_ns(3000, 20 * MS) == lonely
    assert alone.boards[0].stalls.begin_ns == crowded.boards[0].stalls.begin_ns


def test_loss_of_1_stops_everything_and_none_is_the_profiles_again():
    house = House(CALM)
    point, board = house.point, house.boards[0]
    point.lose(board, 1.0, CALM)
    for sender, receiver in ((house.box, board), (board, house.box), (house.box, None)):
        for number in range(50):
            house.send(sender, receiver, number * MS)
    assert list(house.run()) == []
    point.lose(board, None, CALM)
    house.send(house.box, board, SECOND)
    assert len(list(house.run())) == 1


def test_a_partition_stops_unicast_and_broadcast_between_its_sides_only():
    house = House(CALM, CALM, CALM)
    one, two, three = house.boards
    house.send(one, two, 0)  # under way when the partition comes
    house.point.partition([{"board1"}, {"board2", "board3"}])
    assert list(house.run()) == []
    house.send(two, three, SECOND, mark=1)
    house.send(two, one, SECOND, mark=2)
    house.send(two, house.box, SECOND, mark=3)
    house.send(two, None, SECOND, mark=4)
    assert [(p.name, mark_of(data)) for _, p, data in house.run()] == [
        ("board3", 1),
        ("board3", 4),
    ]
    house.point.partition([])
    house.send(two, one, 2 * SECOND)
    assert [p.name for _, p, _ in house.run()] == ["board1"]


def test_an_access_point_without_power_forgets_its_queues_and_hears_nothing():
    house = House(replace(CALM, queue_frames=1))
    house.send(house.box, house.boards[0], 0)
    house.send(house.boards[0], house.box, 0)
    house.point.switch_off(SECOND, MS // 2)
    house.send(house.box, house.boards[0], SECOND // 2)
    assert list(house.run()) == []
    house.send(house.box, house.boards[0], 2 * SECOND)
    house.send(house.boards[0], house.box, 2 * SECOND)
    assert len(list(house.run())) == 2


def test_a_frame_to_nobodys_address_is_counted_and_goes_nowhere():
    house = House(CALM)
    house.point.offer(house.box, frame(mac(77)), 0)
    assert list(house.run()) == []
    assert house.point.unknown == 1


def test_a_profile_survives_json():
    assert Profile.from_fields(json.loads(json.dumps(asdict(WIFI)))) == WIFI


def test_an_unknown_profile_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"'wfi'.*wired, wifi, bad-wifi"):
        profile_named("wfi")


@pytest.mark.parametrize("delay_us", [0, 1, 31, 32, 63, 64, 1000, 123_456, 10**9])
def test_a_histogram_knows_a_delay_within_a_sixteenth(delay_us: int):
    histogram = Histogram()
    histogram.add(delay_us)
    assert histogram.percentile(50) == pytest.approx(delay_us, rel=1 / 16)


def test_a_histograms_percentiles_are_those_of_what_was_added():
    histogram = Histogram()
    for delay_us in range(1, 1001):
        histogram.add(delay_us)
    expected = {"p50_us": 500, "p95_us": 950, "p99_us": 990}
    assert histogram.percentiles() == pytest.approx(expected, rel=1 / 16)
    assert Histogram().percentile(50) is None
