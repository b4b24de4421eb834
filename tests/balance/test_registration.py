"""A server that registers itself, at an agent that does as it is told."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from storagebox.balance import Endpoint
from storagebox.balance.registration import Entry, Registration, registered
from tests.balance.transport.servers import Server, dead, servers

WHO = Endpoint("10.0.0.1", 7700, weight=3, zone="attic")


@pytest.fixture
def agent() -> Iterator[Server]:
    with servers(1) as (made,):
        yield made


def run(address: str, work: Callable[[Entry], Awaitable[Any]]) -> None:
    async def main() -> None:
        said = Registration("search", WHO, address, ttl_s=0.15)
        async with registered(said) as entry:
            await work(entry)

    asyncio.run(main())


def calls(agent: Server) -> list[str]:
    return [unquote(path.removeprefix("/v1/agent/")) for _, path, _, _ in agent.seen]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


def test_it_registers_says_that_it_lives_and_leaves(agent: Server):
    async def work(_: Entry) -> None:
        await until(lambda: len(agent.seen) >= 4)

    run(agent.endpoint.address, work)
    first, *lives, last = calls(agent)
    assert first == "service/register"
    assert set(lives) == {"check/pass/service:search-10.0.0.1:7700"}
    assert last == "service/deregister/search-10.0.0.1:7700"
    body = json.loads(agent.seen[0][3])
    assert body["Weights"] == {"Passing": 3, "Warning": 3}
    assert (body["Name"], body["Address"], body["Port"]) == ("search", "10.0.0.1", 7700)
    assert body["Meta"] == {"zone": "attic"}
    assert body["Check"]["TTL"] == "150ms"


def test_draining_is_maintenance(agent: Server):
    async def work(entry: Entry) -> None:
        await until(lambda: len(agent.seen) >= 2)
        await entry.drain()

    run(agent.endpoint.address, work)
    drains = [call for call in calls(agent) if "maintenance" in call]
    assert drains == ["service/maintenance/search-10.0.0.1:7700?enable=true&reason=draining"]


def test_an_agent_that_has_lost_it_is_told_anew(agent: Server):
    async def work(_: Entry) -> None:
        await until(lambda: len(agent.seen) >= 2)
        agent.status = 500
        before = len(agent.seen)
        await until(lambda: len(agent.seen) > before)
        agent.status = 200
        await until(lambda: "service/register" in calls(agent)[before:])

    run(agent.endpoint.address, work)


def test_an_agent_that_is_not_there_ends_no_server():
    async def work(entry: Entry) -> None:
        await entry.drain()

    run(dead().address, work)


def test_an_address_that_cannot_be_read_is_refused():
    async def work(_: Entry) -> None:
        raise AssertionError("unreachable")

    with pytest.raises(ValueError, match="Consul's address"):
        run("ftp://x", work)
