"""A server that registers itself, at an agent that does as it is told."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from storagebox.balance import Endpoint
from storagebox.balance.registration import Entry, Registration, registered
from tests.balance.skipped_time import now
from tests.balance.skipped_time import run as skipped
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


# The rhythm, in a loop whose time is skipped


class Agent:
    """Notes what it was asked, and when; answers what a test says."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[tuple[float, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        what = request.url.path.removeprefix("/v1/agent/").split("/")[1]
        self.heard.append((round(now(), 3), what))
        return httpx.Response(self.status)

    def at_s(self, what: str) -> list[float]:
        return [at_s for at_s, said in self.heard if said == what]


async def kept(agent: Agent, for_s: float, ttl_s: float = 6.0) -> None:
    """An entry is kept for so long, and then no more."""
    registration = Registration("search", WHO, ttl_s=ttl_s)
    transport = httpx.MockTransport(agent)
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
        keeping = asyncio.create_task(Entry(registration, client).keep())
        await asyncio.sleep(for_s)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


def test_it_says_that_it_lives_three_times_in_its_time_to_live():
    agent = Agent()
    skipped(kept(agent, 13.0))
    assert agent.at_s("register") == [0.0]
    assert agent.at_s("pass") == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]
    agent = Agent()
    skipped(kept(agent, 31.0, ttl_s=30.0))
    assert agent.at_s("pass") == [0.0, 10.0, 20.0, 30.0]


def test_an_agent_that_fails_is_asked_again_before_the_entry_is_dead_and_told_everything_anew():
    agent = Agent()

    async def main() -> None:
        keeping = asyncio.create_task(kept(agent, 100.0))
        await asyncio.sleep(7.0)
        agent.status = 500
        await asyncio.sleep(60.0)
        agent.status = 200
        await keeping

    skipped(main())
    assert agent.at_s("pass")[:5] == [0.0, 2.0, 4.0, 6.0, 8.0]
    tried = agent.at_s("register")[1:]
    gaps = [after - before for before, after in zip([8.0, *tried], tried, strict=False)]
    assert 0.49 <= gaps[0] <= 1.51, "soon"
    assert max(gaps) <= 2.001, "a third of the time to live, however long it has failed"
    assert 67.0 <= tried[-1] <= 69.0
    assert agent.at_s("register")[-1] == tried[-1], "once it was heard, it isn't told again"
    lives = [at_s for at_s in agent.at_s("pass") if at_s >= tried[-1]]
    assert [after - before for before, after in itertools.pairwise(lives)] == (
        pytest.approx([2.0] * (len(lives) - 1))
    )
