"""Plain connections to whom the balancer picks."""

import asyncio
import socket
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from storagebox.balance import Balancer, Endpoint, NoEndpoint, Outcome
from storagebox.balance.observing import SILENT, Observer
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.transport.sockets import connected, opened
from tests.balance.transport.servers import Server, dead, servers


@pytest.fixture
def two() -> Iterator[list[Server]]:
    with servers(2) as made:
        yield made


class Took:
    """Notes what requests took."""

    def __init__(self) -> None:
        self.latencies_s: list[float] = []

    def membership(self, nodes: object, gone: object) -> None: ...
    def picked(self, node: object, reason: str) -> None: ...
    def closed(self) -> None: ...
    def done(self, node: object, reason: str, outcome: Outcome, latency_s: float) -> None:
        self.latencies_s.append(latency_s)


def balancer(endpoints: list[Endpoint], observer: Observer = SILENT) -> Balancer:
    made = Balancer(RoundRobin(), random=Random(1), observer=observer)
    made.update(endpoints, 0.0)
    return made


def counts(made: Balancer) -> list[tuple[int, int]]:
    return [(standing.in_flight, standing.failed) for standing in made.standings(0.0)]


def test_a_connection_counts_until_its_block_ends(two: list[Server]):
    made = balancer([server.endpoint for server in two])
    with connected(made, timeout_s=5) as sock:
        assert sorted(counts(made)) == [(0, 0), (1, 0)]
        assert sock.gettimeout() == 5
    assert counts(made) == [(0, 0)] * 2


def test_who_cannot_be_reached_is_passed_over(two: list[Server]):
    made = balancer([dead(), two[0].endpoint])
    for _ in range(4):
        with connected(made, timeout_s=5) as sock:
            assert sock.getpeername()[1] == two[0].endpoint.port
    assert [in_flight for in_flight, _ in counts(made)] == [0, 0]


def test_if_nobody_can_be_reached_the_error_says_where():
    gone = dead()
    made = balancer([gone])
    with pytest.raises(ConnectionRefusedError) as caught, connected(made, timeout_s=5):
        pass
    assert caught.value.__notes__ == [f"at {gone.address}"]
    assert counts(made) == [(0, 1)]
    with pytest.raises(NoEndpoint), connected(balancer([]), timeout_s=5):
        pass


def test_a_broken_connection_blames_the_server_and_a_bug_does_not(two: list[Server]):
    made = balancer([two[0].endpoint])
    with pytest.raises(ConnectionResetError), connected(made, timeout_s=5):
        raise ConnectionResetError
    with pytest.raises(KeyError), connected(made, timeout_s=5):
        raise KeyError
    assert counts(made) == [(0, 1)]


def test_a_connection_interrupted_while_it_is_made_counts_no_longer(
    monkeypatch: pytest.MonkeyPatch,
):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    made = balancer([Endpoint("10.0.0.1", 80)])
    monkeypatch.setattr("socket.create_connection", interrupted)
    with pytest.raises(KeyboardInterrupt), connected(made, timeout_s=5):
        pass
    assert counts(made) == [(0, 0)]


def test_what_a_conversation_takes_is_no_measure_of_its_server(
    two: list[Server], monkeypatch: pytest.MonkeyPatch
):
    took, clock = Took(), [0.0]
    made = balancer([two[0].endpoint], took)
    create = socket.create_connection

    def slowly(*told: Any) -> socket.socket:
        clock[0] += 0.25
        return create(*told)

    monkeypatch.setattr("socket.create_connection", slowly)
    with connected(made, timeout_s=5, clock=lambda: clock[0]):
        clock[0] += 3600.0

    async def main() -> None:
        async with opened(made, timeout_s=5, clock=lambda: clock[0]):
            clock[0] += 3600.0

    asyncio.run(main())
    assert took.latencies_s == [0.25, 0.0], "until the connection was there"


def test_the_same_on_asyncio(two: list[Server]):
    made = balancer([dead(), two[0].endpoint])

    async def main() -> bytes:
        async with opened(made, timeout_s=5) as (reader, writer):
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            return await reader.read()

    for _ in range(3):
        assert asyncio.run(main()).endswith(b"hello")
    assert [in_flight for in_flight, _ in counts(made)] == [0, 0]
