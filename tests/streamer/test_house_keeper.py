"""A box keeps house time, simulated: follows by rate, carries on, gives way, never steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from phantom.timekeeper import KEEPS_TIME
from phantom.wire import mux
from storagebox.streamer.follow import Exchange
from storagebox.streamer.house_clock import HouseTime
from storagebox.streamer.house_keeper import SLEW_US, TURN_S, HouseKeeper


@dataclass
class Server:
    """A peer that keeps time, `ppm` faster than the box's crystal."""

    id: str
    role: int = mux.ROLE_DEVICE
    flags: int = KEEPS_TIME
    ppm: int = 0
    offset_us: int = 0
    generation: int = 7
    addresses: Sequence[str] = ("10.0.0.1",)
    services: Mapping[str, int] = field(default_factory=lambda: {"clock": 4771})

    def house_us(self, now_us: int) -> int:
        return now_us + self.offset_us + now_us * self.ppm // 1_000_000


class Home:
    """One box, and the peers it hears of; time passes in turns."""

    def __init__(self, seed: int, me: str = "m-box") -> None:
        self.random = random.Random(seed)
        self.now_us = 5_000_000
        self.peers: list[Server] = []
        self.said: list[bool] = []
        self.house = HouseTime(1, monotonic_ns=lambda: self.now_us * 1000)
        self.keeper = HouseKeeper(
            self.house,
            me,
            lambda: self.peers,
            self.said.append,
            lambda address, _, heard: Asked(self, address, heard),
        )
        self.step_us = 0

    def carry_on(self, server: Server, error_us: int = 80) -> None:
        """As after `follow_devices`."""
        self.house.generation = server.generation
        self.house.offset_us = server.house_us(self.now_us) - self.now_us + error_us
        self.keeper.begin(founded=False)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TURN_S)):
            self.now_us += 125_000
            before = self.house.offset_us
            self.keeper.turn()
            self.step_us = max(self.step_us, abs(self.house.offset_us - before))

    def error_us(self, server: Server) -> int:
        return self.house.now_us() - server.house_us(self.now_us)


class Asked:
    """Answers at once, as over a network with some jitter."""

    def __init__(self, home: Home, address: str, heard: Callable[[Exchange], object]) -> None:
        self.home = home
        self.address = address
        self.heard = heard

    def ask(self) -> None:
        server = next((p for p in self.home.peers if p.addresses[0] == self.address), None)
        if server is None:
            return
        there, back = (200 + int(self.home.random.expovariate(1 / 150)) for _ in range(2))
        sent = self.home.now_us - there - back - 50
        house_us = server.house_us(sent + there)
        self.heard(Exchange(sent, self.home.now_us, house_us, 50, server.generation))

    def close(self) -> None:
        pass


def test_a_box_that_founded_keeps_time_at_once_and_asks_no_device() -> None:
    home = Home(1)
    home.keeper.begin(founded=True)
    home.peers = [Server("a")]
    home.run(30)
    assert home.said == [True]
    assert home.keeper.server is None
    assert home.house.offset_us == 0


def test_a_box_that_carries_on_learns_the_rate_before_it_keeps_time() -> None:
    for seed, ppm in ((1, 60), (2, -60), (3, 25)):
        home, server = Home(seed), Server("a", ppm=ppm, offset_us=90_000_000)
        home.peers = [server]
        home.carry_on(server)
        home.run(15)
        assert home.said == []
        assert home.keeper.server == "a"
        home.run(60)
        assert home.said == [True]
        assert home.keeper.server is None
        assert abs(home.error_us(server)) < 120, (seed, home.error_us(server))
        home.run(60)
        # Alone for nearly two minutes by now: less than 2 ppm are left of 60.
        assert abs(home.error_us(server)) < 300, (seed, home.error_us(server))
        assert home.step_us <= SLEW_US


def test_a_box_follows_one_of_lower_id_and_its_successor_carries_on() -> None:
    home, master = Home(4), Server("a-box", mux.ROLE_BOX, ppm=-40, offset_us=7_000_000)
    home.peers = [master, Server("0")]
    home.carry_on(master)
    home.run(90)
    assert home.keeper.server == "a-box"
    assert home.said == [True]  # others may rely on it, though they ask the master
    assert abs(home.error_us(master)) < 40
    home.peers = [Server("0", ppm=-40, offset_us=7_000_000)]
    home.run(60)
    assert home.keeper.server is None
    assert abs(home.error_us(master)) < 200
    assert home.step_us <= SLEW_US
    assert home.house.generation == 7


def test_two_boxes_that_founded_apart_meet_in_the_time_of_the_lower_id() -> None:
    home, other = Home(5), Server("a-box", mux.ROLE_BOX, generation=9, offset_us=50_000_000)
    home.keeper.begin(founded=True)
    home.run(5)
    home.peers = [other]
    home.run(60)
    assert home.house.generation == 9
    assert abs(home.error_us(other)) < 60
    home = Home(6, me="0-box")
    home.keeper.begin(founded=True)
    home.peers = [other]
    home.run(60)
    assert home.house.generation == 1
    assert home.house.offset_us == 0
