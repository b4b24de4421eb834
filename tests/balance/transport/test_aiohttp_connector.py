"""aiohttp sessions whose connector balances, against real servers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from storagebox.balance import Endpoint
from storagebox.balance.health.ejection import Ejection
from storagebox.balance.health.trust import Trust
from storagebox.balance.metrics import Metrics
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.retry.budget import Budget
from storagebox.balance.retry.hedging import Hedging
from storagebox.balance.transport.aiohttp_connector import BalancedConnector
from storagebox.balance.transport.attempts import Settings
from tests.balance.transport.servers import Server, dead, servers


@pytest.fixture
def three() -> Iterator[list[Server]]:
    with servers(3) as made:
        yield made


Work = Callable[[aiohttp.ClientSession, BalancedConnector], Awaitable[Any]]


def run(
    of: list[Server] | list[Endpoint], work: Work, *, trying: bool = True, **options: Any
) -> Any:
    endpoints = [one.endpoint if isinstance(one, Server) else one for one in of]

    async def main() -> Any:
        connector = BalancedConnector(endpoints, policy=RoundRobin(), random=Random(1), **options)
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


async def texts(session: aiohttp.ClientSession, count: int, **options: Any) -> list[str]:
    """So many requests, one after the other."""
    told: list[str] = []
    for _ in range(count):
        async with session.get("http://search/", **options) as response:
            told.append(await response.text())
    return told


def hedging(**options: Any) -> Settings:
    return Settings(hedging=Hedging(enough=1, budget=Budget(ratio=1, min_per_s=0), **options))


def hedges_now(connector: BalancedConnector) -> None:
    """As if requests had been answered soon: all that take longer are hedged from now on."""
    latencies = connector._hedges.latencies
    assert latencies is not None
    latencies.add(0.01, time.monotonic())


def test_a_second_server_is_asked_if_the_first_takes_long(three: list[Server]):
    three[0].gate.clear()

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> list[str]:
        hedges_now(connector)
        return await texts(session, 4)

    assert run(three[:2], work, settings=hedging(max_delay_s=0.05)) == ["hello"] * 4
    assert len(three[1].seen) >= 4, "all, as one of the two doesn't answer"


def test_a_server_that_hedges_outpace_is_ejected(three: list[Server]):
    health = Trust(Ejection(outpaced=1, time_s=30.0))
    three[0].gate.clear()

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> list[str]:
        hedges_now(connector)
        while all(s.eligible for s in connector.balancer.standings(0.0)):
            assert await texts(session, 1) == ["hello"]
        return [s.state for s in connector.balancer.standings(0.0) if not s.eligible]

    [state] = run(three[:2], work, settings=hedging(max_delay_s=0.05), health=health)
    assert state.endswith("1 requests in a row were outpaced by others sent later")


def test_a_hedged_post_body_is_sent_whole_to_both(three: list[Server]):
    for server in three:
        server.gate.clear()

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> str:
        hedges_now(connector)
        posting = asyncio.create_task(
            session.post("http://search/", data=b"a" * 100, middlewares=[connector.trying_safely])  # pyright: ignore
        )
        while sum(asked(three)) < 2:
            await asyncio.sleep(0.001)
        three[1].gate.set()
        async with await posting as response:
            return await response.text()

    assert run(three[:2], work, settings=hedging(max_delay_s=0.05)) == "hello"
    assert [seen[3] for server in three for seen in server.seen] == [b"a" * 100] * 2


def test_what_must_not_be_repeated_is_not_hedged(three: list[Server]):
    for server in three:
        server.gate.clear()

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> None:
        hedges_now(connector)
        with pytest.raises(TimeoutError):
            await session.post("http://search/", timeout=aiohttp.ClientTimeout(total=0.3))

    run(three[:2], work, settings=hedging(max_delay_s=0.01))
    assert sum(asked(three)) <= 1


def test_cancelling_a_hedged_request_leaves_nothing_in_flight(three: list[Server]):
    for server in three:
        server.gate.clear()

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> list[int]:
        hedges_now(connector)
        task = asyncio.create_task(session.get("http://search/"))  # pyright: ignore
        while sum(asked(three)) < 2:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [s.failed for s in connector.balancer.standings(0.0)]

    assert run(three[:2], work, settings=hedging(max_delay_s=0.01)) == [0, 0]


def test_a_deadline_bounds_all_attempts_and_blames_who_had_the_time(three: list[Server]):
    for server in three:
        server.gate.clear()

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> int:
        with pytest.raises(TimeoutError):
            await session.get("http://search/")
        return sum(s.failed for s in connector.balancer.standings(0.0))

    assert run(three, work, settings=Settings(deadline_s=1.0)) == 1
    assert sum(asked(three)) == 1


def test_hedges_wait_for_what_requests_have_taken(three: list[Server]):
    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> float | None:
        latencies = connector._hedges.latencies
        assert latencies is not None
        assert latencies.quantile(0.5, time.monotonic()) is None
        await texts(session, 2)
        return latencies.quantile(0.5, time.monotonic())

    assert run(three[:2], work, settings=hedging(min_delay_s=0.5))


def test_of_one_server_nobody_asks_a_second(three: list[Server]):
    three[0].gate.clear()

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> None:
        hedges_now(connector)
        with pytest.raises(TimeoutError):
            await session.get("http://search/", timeout=aiohttp.ClientTimeout(total=0.2))

    run(three[:1], work, settings=hedging(max_delay_s=0.01))
    assert sum(asked(three)) <= 1


def test_a_long_answer_that_is_tried_elsewhere_is_dropped(three: list[Server]):
    for server in three:
        server.status, server.body = 502, b"a" * 1_000_000

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> list[int]:
        response = await session.get("http://search/")
        in_flight = [s.in_flight for s in connector.balancer.standings(0.0)]
        response.close()
        return in_flight

    assert sorted(run(three, work)) == [0, 0, 1]


def test_a_connector_that_is_closed_says_so_to_who_observes(three: list[Server]):
    registry = CollectorRegistry()

    async def work(session: aiohttp.ClientSession, connector: BalancedConnector) -> None:
        await texts(session, 3)
        assert b"balance_picks_total{" in generate_latest(registry)

    run(three, work, observer=Metrics("search", registry))
    assert b"balance_picks_total{" not in generate_latest(registry)
