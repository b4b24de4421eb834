"""aiohttp sessions whose connector balances, against real servers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

import aiohttp
import pytest

from storagebox.balance import Endpoint
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.transport.aiohttp_connector import BalancedConnector
from tests.balance.transport.servers import Server, dead, servers


@pytest.fixture
def three() -> Iterator[list[Server]]:
    with servers(3) as made:
        yield made


Work = Callable[[aiohttp.ClientSession, BalancedConnector], Awaitable[Any]]


def run(of: list[Server] | list[Endpoint], work: Work, *, trying: bool = True) -> Any:
    endpoints = [one.endpoint if isinstance(one, Server) else one for one in of]

    async def main() -> Any:
        connector = BalancedConnector(endpoints, policy=RoundRobin(), random=Random(1))
        middlewares = [connector.trying] if trying else []
        async with aiohttp.ClientSession(connector=connector, middlewares=middlewares) as session:
            result = await work(session, connector)
            standings = connector.balancer.standings(0.0)
        assert [standing.in_flight for standing in standings] == [0] * len(standings)
        return result

    return asyncio.run(main())


def asked(three: list[Server]) -> list[int]:
    return [len(server.seen) for server in three]


@pytest.mark.parametrize("trying", [True, False])
def test_requests_go_round_under_the_logical_name(three: list[Server], trying: bool):
    async def work(session: aiohttp.ClientSession, _: BalancedConnector) -> None:
        for _ in range(9):
            async with session.get("http://search/a?b=c") as response:
                assert await response.text() == "hello"
                assert str(response.url) == "http://search/a?b=c"

    run(three, work, trying=trying)
    assert asked(three) == [3, 3, 3]
    assert three[0].seen[0][1] == "/a?b=c"
    assert three[0].seen[0][2]["Host"] == "search"


def test_a_request_is_in_flight_until_its_body_is_dropped(three: list[Server]):
    three[0].body = b"a" * 1_000_000

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> None:
        response = await session.get("http://search/")
        assert [s.in_flight for s in connector.balancer.standings(0.0)] == [1]
        response.close()

    run(three[:1], work)


def test_a_dead_server_costs_no_request(three: list[Server]):
    async def work(session: aiohttp.ClientSession, _: BalancedConnector) -> list[int]:
        texts: list[str] = []
        for _ in range(6):
            async with session.post("http://search/", json={}) as response:
                texts.append(await response.text())
        return texts

    assert run([dead(), three[0].endpoint], work) == ["hello"] * 6


def test_a_gateway_error_is_tried_elsewhere(three: list[Server]):
    for server in three:
        server.status = 502

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> list[int]:
        async with session.get("http://search/") as response:
            assert response.status == 502
        return [s.failed for s in connector.balancer.standings(0.0)]

    assert run(three, work) == [1, 1, 1]


def test_a_post_is_repeated_only_if_its_sender_calls_it_safe(three: list[Server]):
    for server in three:
        server.status = 503

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> None:
        async with session.post("http://search/", json={}):
            assert sum(asked(three)) == 1
        async with session.post("http://search/", json={}, middlewares=[connector.trying_safely]):
            assert sum(asked(three)) == 4

    run(three, work)


def test_cancelling_leaves_nothing_in_flight_and_blames_nobody(three: list[Server]):
    for server in three:
        server.gate.clear()

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> list[int]:
        for _ in range(3):
            before = sum(asked(three))
            task = asyncio.create_task(session.get("http://search/"))  # pyright: ignore
            while sum(asked(three)) == before:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return [s.failed for s in connector.balancer.standings(0.0)]

    assert run(three, work) == [0, 0, 0]


def test_nobody_to_ask_is_an_error_that_says_why():
    async def work(session: aiohttp.ClientSession, _: BalancedConnector) -> None:
        with pytest.raises(aiohttp.ClientConnectionError, match="the membership is empty"):
            await session.get("http://search/")

    run([], work)
