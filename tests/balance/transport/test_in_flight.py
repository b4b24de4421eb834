"""Whatever becomes of requests, the counts of what is in flight end where they began."""

import asyncio
from collections.abc import AsyncIterator
from enum import Enum
from random import Random

import httpx
from hypothesis import given
from hypothesis import strategies as st

from storagebox.balance import Endpoint
from storagebox.balance.retry.budget import Budget
from storagebox.balance.retry.hedging import Hedging
from storagebox.balance.transport.asynchronous import AsyncBalancedTransport
from storagebox.balance.transport.attempts import Settings

SERVERS = [Endpoint(f"10.0.0.{n}", 80) for n in (1, 2, 3)]


class Fate(Enum):
    """What a server does with a request."""

    ANSWER = 1
    UNAVAILABLE = 2
    REFUSE = 3
    RESET = 4
    HANG = 5
    BREAK_OFF = 6
    HANG_AMID = 7


class Habit(Enum):
    """What a program does with an answer."""

    READ = 1
    DROP = 2
    READ_SOME = 3
    CANCEL = 4


class Body(httpx.AsyncByteStream):
    def __init__(self, fate: Fate) -> None:
        self.fate = fate

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"a"
        if self.fate is Fate.BREAK_OFF:
            raise httpx.ReadError("gone")
        if self.fate is Fate.HANG_AMID:
            await asyncio.Event().wait()
        yield b"b"


class Server(httpx.AsyncBaseTransport):
    def __init__(self, fates: list[Fate]) -> None:
        self.fates = fates

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fate = self.fates.pop() if self.fates else Fate.ANSWER
        await asyncio.sleep(0)
        if fate is Fate.REFUSE:
            raise httpx.ConnectError("refused")
        if fate is Fate.RESET:
            raise httpx.ReadError("reset")
        if fate is Fate.HANG:
            await asyncio.Event().wait()
        status = 503 if fate is Fate.UNAVAILABLE else 200
        return httpx.Response(status, stream=Body(fate))


async def behave(client: httpx.AsyncClient, habit: Habit, method: str) -> None:
    async with client.stream(method, "/") as response:
        if habit is Habit.READ:
            await response.aread()
        elif habit is Habit.READ_SOME:
            async for _ in response.aiter_raw():
                break


async def one(client: httpx.AsyncClient, habit: Habit, method: str, turns: int) -> None:
    """A request of a program; one that gives up does so after that many turns of the loop."""
    task = asyncio.create_task(behave(client, habit, method))
    for _ in range(turns if habit is Habit.CANCEL else 40):
        if task.done():
            break
        await asyncio.sleep(0)
    task.cancel()  # the impatient, and whoever hangs
    await asyncio.gather(task, return_exceptions=True)


requests = st.tuples(st.sampled_from(Habit), st.sampled_from(["GET", "POST"]), st.integers(0, 12))


@given(
    fates=st.lists(st.sampled_from(Fate), max_size=30),
    habits=st.lists(requests, min_size=1, max_size=12),
    at_once=st.booleans(),
    hedged=st.booleans(),
)
def test_nothing_stays_in_flight(
    fates: list[Fate], habits: list[tuple[Habit, str, int]], at_once: bool, hedged: bool
):
    async def main() -> None:
        budget = Budget(ratio=1.0, min_per_s=0.0)
        hedging = Hedging(enough=1, min_delay_s=1e-6, max_delay_s=1e-6, budget=budget)
        transport = AsyncBalancedTransport(
            SERVERS,
            connect=lambda _: Server(fates),
            settings=Settings(hedging=hedging if hedged else None),
            random=Random(1),
        )
        client = httpx.AsyncClient(transport=transport, base_url="http://search")
        if at_once:
            await asyncio.gather(*(one(client, *habit) for habit in habits))
        else:
            for habit in habits:
                await one(client, *habit)
        standings = transport.balancer.standings(0.0)
        assert [standing.in_flight for standing in standings] == [0, 0, 0]
        patient = [habit for habit, _, _ in habits if habit is not Habit.CANCEL]
        assert sum(standing.picked for standing in standings) >= len(patient)
        used = transport._balanced.pools._pools.values()
        assert [pool.users for pool in used] == [0] * len(used)
        await client.aclose()

    asyncio.run(main())
