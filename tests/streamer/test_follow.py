"""A box that starts takes over the time that others keep."""

import asyncio
import random
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from phantom.timekeeper import KEEPS_TIME
from phantom.wire import clock, mux
from storagebox.streamer.follow import Asker, Exchange, choose, follow_devices, rank
from storagebox.streamer.house_clock import HouseClockServer, HouseTime, Timeline


@dataclass
class Peer:
    id: str
    role: int = mux.ROLE_DEVICE
    flags: int = KEEPS_TIME
    addresses: Sequence[str] = ("127.0.0.1",)
    services: Mapping[str, int] = field(default_factory=lambda: {"clock": 4771})


class Link:
    """Exchanges with a server whose house time is `offset_us` off, over seeded delays."""

    def __init__(self, seed: int, offset_us: int, generation: int = 1) -> None:
        self.random = random.Random(seed)
        self.offset_us = offset_us
        self.generation = generation

    def exchange(self, sent_us: int) -> Exchange:
        there = 200 + int(self.random.expovariate(1 / 1500))
        back = 200 + int(self.random.expovariate(1 / 1500))
        came_us = sent_us + there + 50 + back
        return Exchange(sent_us, came_us, sent_us + there + self.offset_us, 50, self.generation)

    def burst(self) -> list[Exchange]:
        return [self.exchange(20_000 * n) for n in range(12)]


@contextmanager
def serving(*houses: HouseTime) -> Iterator[list[Peer]]:
    """Real clock servers in the running loop, as peers a, b, c …"""
    servers = [HouseClockServer(house, "127.0.0.1", 0) for house in houses]
    loop = asyncio.get_running_loop()
    for server in servers:
        loop.add_reader(server.socket, server.readable)
    try:
        yield [Peer(chr(97 + n), services={"clock": s.port}) for n, s in enumerate(servers)]
    finally:
        for server in servers:
            loop.remove_reader(server.socket)
            server.close()


def test_the_least_round_trip_tells_best():
    slow = Exchange(0, 9000, 1_000_000 + 8000, 0, 1)
    quick = Exchange(20_000, 20_400, 1_000_000 + 20_200, 0, 1)
    assert choose([(Peer("a"), [slow, quick])]) == Timeline(1, 1_000_000)


def test_the_median_of_devices_drops_one_that_is_off():
    for seed in range(20):
        links = [Link(seed, 7_000_000), Link(seed + 100, 7_000_000), Link(seed + 200, 7_050_000)]
        heard = [(Peer(f"d{n}"), link.burst()) for n, link in enumerate(links)]
        timeline = choose(heard)
        assert timeline is not None
        assert abs(timeline.offset_us - 7_000_000) < 1000, seed


def test_of_two_timelines_that_of_the_lower_id_is_adopted():
    one, other = Link(1, 5, generation=1), Link(2, 9_000_000, generation=2)
    heard = [(Peer("a"), one.burst()), (Peer("b"), other.burst()), (Peer("c"), other.burst())]
    timeline = choose(heard)
    assert timeline is not None
    assert timeline.generation == 1


def test_boxes_are_believed_before_devices_and_who_has_time_before_who_may_have():
    peers = [
        Peer("a", flags=0),
        Peer("b"),
        Peer("z", role=mux.ROLE_BOX),
        Peer("y", role=mux.ROLE_BOX, flags=0),
    ]
    assert [peer.id for peer in sorted(peers, key=rank)] == ["z", "b", "y", "a"]
    box, device = Link(1, 3_000_000), Link(2, 0)
    timeline = choose([(peers[2], box.burst()), (peers[1], device.burst())])
    assert timeline is not None
    assert abs(timeline.offset_us - 3_000_000) < 1000


def test_where_nobody_answers_there_is_no_timeline():
    assert choose([]) is None
    assert choose([(Peer("a"), [])]) is None


def test_a_box_adopts_what_servers_tell_over_real_sockets():
    async def adopt() -> Timeline | None:
        houses = [HouseTime(9, 40_000_000_000), HouseTime(9, 40_000_000_000)]
        with serving(*houses) as peers:
            return await follow_devices([*peers, Peer("d", addresses=[])])

    timeline = asyncio.run(adopt())
    assert timeline is not None
    assert timeline.generation == 9
    # The round trip bounds it; kernel stamps make it a few microseconds.
    assert abs(timeline.offset_us - 40_000_000_000) < 20_000
    house = HouseTime(1)
    house.adopt(timeline)
    assert house.generation == 9
    assert house.at_us(5000) == 5 + timeline.offset_us


def test_peers_that_are_silent_delay_a_box_by_no_more_than_the_limit():
    async def adopt() -> tuple[Timeline | None, float]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
            deaf.bind(("127.0.0.1", 0))
            with serving(HouseTime(9, 1)) as peers:
                silent = Peer("0", services={"clock": deaf.getsockname()[1]})
                nobody = Peer("1", services={"clock": 1})
                loop = asyncio.get_running_loop()
                since = loop.time()
                timeline = await follow_devices([silent, nobody, *peers], limit_s=0.1)
                return timeline, loop.time() - since

    timeline, took_s = asyncio.run(adopt())
    assert timeline is not None
    assert timeline.generation == 9
    assert took_s >= 0.1


def test_answers_to_others_and_impossible_ones_are_passed_over():
    heard: list[Exchange] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        asker = Asker("127.0.0.1", server.getsockname()[1], heard.append)
        asker.ask()
        data, sender = server.recvfrom(100)
        sequence, token, t1 = clock.parse_request(data)
        for lie in (
            clock.reply(sequence, token + 1 & 0xFFFFFFFF, t1, 1, 5, 0),  # for another
            clock.reply(sequence, token, t1, 1, 5, 50_000_000),  # held longer than it was away
            clock.reply(sequence, token, t1, 1, 5, 0) + b"x",
            b"x",
        ):
            server.sendto(lie, sender)
        asker.readable()
        assert heard == []
        server.sendto(clock.reply(sequence, token, t1, 1, 5, 0), sender)
        asker.readable()
        asker.close()
    assert len(heard) == 1
    assert heard[0].generation == 1
