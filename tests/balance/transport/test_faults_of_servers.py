"""A real server process that is killed, stopped, resets or swallows, beside two that are well."""

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from storagebox.balance import Endpoint
from storagebox.balance.health.ejection import Ejection
from storagebox.balance.health.trust import Trust
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.retry.budget import Budget
from storagebox.balance.retry.hedging import Hedging
from storagebox.balance.transport.asynchronous import AsyncBalancedTransport
from storagebox.balance.transport.attempts import Settings
from storagebox.balance.transport.synchronous import BalancedTransport
from tests.balance.transport.servers import servers
from tools.bench.balance_server import Server

LONG_S = 600.0
HEDGED = Settings(hedging=Hedging(enough=10, budget=Budget(ratio=1.0)))
URL = "http://service/work"


@pytest.fixture
def victim() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def members(victim: Server) -> Iterator[list[Endpoint]]:
    with servers(2) as well:
        yield [Endpoint("127.0.0.1", victim.port), *(each.endpoint for each in well)]


def options(ejected_s: float = LONG_S) -> dict[str, Any]:
    trust = Trust(Ejection(time_s=ejected_s, max_time_s=LONG_S))
    return {"policy": RoundRobin(), "health": trust}


def state(transport: BalancedTransport | AsyncBalancedTransport, victim: Server) -> str:
    standings = transport.balancer.standings(0.0)
    return next(each.state for each in standings if each.endpoint.port == victim.port)


def test_no_request_notices_that_a_server_is_killed_and_it_is_chosen_again_once_it_is_back(
    victim: Server, members: list[Endpoint]
):
    transport = BalancedTransport(members, **options(ejected_s=0.001))
    with httpx.Client(transport=transport) as client:
        assert {client.get(URL).status_code for _ in range(6)} == {200}
        victim.signal(signal.SIGKILL)
        victim.process.wait()
        assert {client.get(URL).status_code for _ in range(12)} == {200}
        assert {client.post(URL).status_code for _ in range(12)} == {200}
        assert state(transport, victim) != "well"
        victim.restart()
        for _ in range(10_000):
            if client.get(URL).extensions["chosen"].endpoint.port == victim.port:
                break
        else:
            raise AssertionError("it is never chosen again")


def test_a_stopped_server_is_left_alone_after_five_hedges_from_threads(
    victim: Server, members: list[Endpoint]
):
    transport = BalancedTransport(members, settings=HEDGED, **options())
    with httpx.Client(transport=transport, timeout=LONG_S) as client:
        assert {client.get(URL).status_code for _ in range(15)} == {200}
        victim.signal(signal.SIGSTOP)
        for _ in range(30):
            assert client.get(URL).extensions["chosen"].endpoint.port != victim.port
        assert "outpaced" in state(transport, victim)
        victim.signal(signal.SIGCONT)  # or the attempts in their threads would not end


def test_a_stopped_server_is_left_alone_after_five_hedges_from_tasks(
    victim: Server, members: list[Endpoint]
):
    async def run() -> str:
        transport = AsyncBalancedTransport(members, settings=HEDGED, **options())
        async with httpx.AsyncClient(transport=transport, timeout=LONG_S) as client:
            for _ in range(15):
                assert (await client.get(URL)).status_code == 200
            victim.signal(signal.SIGSTOP)
            for _ in range(30):
                answer = await client.get(URL)
                assert answer.extensions["chosen"].endpoint.port != victim.port
            assert not any(each.in_flight for each in transport.balancer.standings(0.0))
            return state(transport, victim)

    assert "outpaced" in asyncio.run(run())


def test_resets_before_and_amid_answers_cost_only_requests_that_must_not_be_repeated(
    victim: Server, members: list[Endpoint]
):
    transport = BalancedTransport(members, **options())
    with httpx.Client(transport=transport) as client:
        assert {client.get(URL).status_code for _ in range(6)} == {200}
        victim.tell("reset")
        assert {client.get(URL).status_code for _ in range(12)} == {200}
        assert "in a row" in state(transport, victim)


def test_where_packets_vanish_even_a_post_goes_elsewhere_for_it_was_never_sent(
    victim: Server, members: list[Endpoint]
):
    victim.tell("blackhole")
    transport = BalancedTransport(members, **options())
    timeout = httpx.Timeout(LONG_S, connect=0.1)
    with httpx.Client(transport=transport, timeout=timeout) as client:
        assert {client.post(URL).status_code for _ in range(12)} == {200}
        assert "in a row" in state(transport, victim)
