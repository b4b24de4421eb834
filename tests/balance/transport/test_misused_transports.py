"""Transports that are closed, interrupted or shared at a bad moment, or given what can't work."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random
from typing import Any

import httpx
import pytest

from storagebox.balance import Balancer, Endpoint
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.retry.budget import Budget
from storagebox.balance.retry.hedging import Hedging
from storagebox.balance.transport.asynchronous import AsyncBalancedTransport
from storagebox.balance.transport.attempts import Settings
from storagebox.balance.transport.bodies import SyncBody
from storagebox.balance.transport.synchronous import BalancedTransport

THREE = [Endpoint(f"10.0.0.{n}", 80) for n in (1, 2, 3)]
OVER = {"deadline_s": 0.0}
HEDGED = Settings(
    hedging=Hedging(enough=1, min_delay_s=1e-6, max_delay_s=1e-6, budget=Budget(1.0, 0.0))
)


class Sync(httpx.BaseTransport):
    """Does with a request what a test says."""

    def __init__(self, answer: Callable[[], httpx.Response]) -> None:
        self.answer = answer
        self.closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.answer()

    def close(self) -> None:
        self.closed = True


class Async(httpx.AsyncBaseTransport):
    """The same on asyncio."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.answer()


def ok() -> httpx.Response:
    return httpx.Response(200)


async def ok_soon() -> httpx.Response:
    return ok()


def held(balancer: Balancer) -> int:
    return sum(standing.in_flight for standing in balancer.standings(0.0))


def test_a_connection_that_cannot_be_made_leaves_nothing_in_flight():
    def connect(endpoint: Endpoint) -> httpx.BaseTransport:
        raise OSError("no such interface")

    async def main() -> None:
        made = AsyncBalancedTransport(THREE, connect=connect)  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=made, base_url="http://search") as search:
            with pytest.raises(OSError, match="no such interface"):
                await search.get("/")
        assert held(made.balancer) == 0

    asyncio.run(main())
    made = BalancedTransport(THREE, connect=connect)
    search = httpx.Client(transport=made, base_url="http://search")
    with search, pytest.raises(OSError, match="no such interface"):
        search.get("/")
    assert held(made.balancer) == 0


def test_a_deadline_that_is_over_blames_nobody():
    async def main() -> None:
        made = AsyncBalancedTransport(THREE, connect=lambda _: Async(ok_soon))
        async with httpx.AsyncClient(transport=made, base_url="http://search") as search:
            with pytest.raises(httpx.ConnectTimeout, match="the deadline passed before"):
                await search.get("/", extensions=OVER)
        assert [standing.picked for standing in made.balancer.standings(0.0)] == [0, 0, 0]

    asyncio.run(main())
    made = BalancedTransport(THREE, connect=lambda _: Sync(ok))
    search = httpx.Client(transport=made, base_url="http://search")
    with search, pytest.raises(httpx.ConnectTimeout, match="the deadline passed before"):
        search.get("/", extensions=OVER)
    assert [standing.picked for standing in made.balancer.standings(0.0)] == [0, 0, 0]


def test_a_transport_of_another_event_loop_is_refused():
    made = AsyncBalancedTransport(THREE, connect=lambda _: Async(ok_soon))
    search = httpx.AsyncClient(transport=made, base_url="http://search")

    async def ask() -> int:
        return (await search.get("/")).status_code

    assert asyncio.run(ask()) == 200
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(ask())


def test_a_transport_that_was_used_before_a_fork_is_refused(monkeypatch: pytest.MonkeyPatch):
    made = BalancedTransport(THREE, connect=lambda _: Sync(ok))
    with httpx.Client(transport=made, base_url="http://search") as search:
        assert search.get("/").status_code == 200
        child = os.getpid() + 1
        monkeypatch.setattr(os, "getpid", lambda: child)
        with pytest.raises(RuntimeError, match="before a fork"):
            search.get("/")


def test_what_fails_because_of_closing_is_not_tried_again():
    asked, broken = threading.Event(), threading.Event()
    inner: list[Sync] = []
    raised: list[BaseException] = []

    def answer() -> httpx.Response:
        asked.set()
        broken.wait(10)
        raise httpx.ReadError("closed")

    def connect(endpoint: Endpoint) -> Sync:
        inner.append(Sync(answer))
        return inner[-1]

    def get() -> None:
        try:
            search.get("/")
        except httpx.ReadError as error:
            raised.append(error)

    made = BalancedTransport(THREE, connect=connect)
    search = httpx.Client(transport=made, base_url="http://search")
    asking = threading.Thread(target=get)
    asking.start()
    assert asked.wait(10)
    made.close()
    made.close()
    broken.set()
    asking.join(10)
    assert len(raised) == 1
    assert [one.closed for one in inner] == [True], "nobody else was connected to"
    with pytest.raises(RuntimeError, match="has been closed"):
        search.get("/")
    assert held(made.balancer) == 0


def test_connections_to_who_has_left_are_closed_although_one_does_not_close_well():
    inner: dict[str, Sync] = {}

    class Bad(Sync):
        def close(self) -> None:
            super().close()
            raise OSError("already gone")

    def connect(endpoint: Endpoint) -> Sync:
        return inner.setdefault(endpoint.host, Bad(ok))

    made = BalancedTransport(THREE, policy=RoundRobin(), connect=connect, random=Random(1))
    with httpx.Client(transport=made, base_url="http://search") as search:
        for _ in THREE:
            search.get("/")
        made.balancer.update(THREE[:1], 0.0)
        assert search.get("/").status_code == 200
        closed = {host for host, one in inner.items() if one.closed}
        assert closed == {"10.0.0.2", "10.0.0.3"}


def test_a_hedged_request_that_is_interrupted_leaves_nothing_in_flight(
    monkeypatch: pytest.MonkeyPatch,
):
    gate = threading.Event()

    def answer() -> httpx.Response:
        gate.wait(10)
        return ok()

    made = BalancedTransport(THREE, connect=lambda _: Sync(answer), settings=HEDGED)
    with httpx.Client(transport=made, base_url="http://search") as search:
        gate.set()
        search.get("/")
        gate.clear()

        def interrupted(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("storagebox.balance.transport.synchronous.wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search.get("/")
        gate.set()
        made._threads.shutdown(wait=True)
        assert held(made.balancer) == 0


def test_a_hedged_request_cancelled_while_the_slower_one_ends_leaves_nothing_in_flight():
    async def main() -> None:
        turn = 0
        ending = asyncio.Event()

        async def answer() -> httpx.Response:
            nonlocal turn
            turn += 1
            if turn == 2:  # the first of the hedged ones: slow to take its cancellation
                try:
                    await asyncio.Event().wait()
                finally:
                    ending.set()
                    for _ in range(20):
                        await asyncio.sleep(0)
            return ok()

        made = AsyncBalancedTransport(THREE, connect=lambda _: Async(answer), settings=HEDGED)
        async with httpx.AsyncClient(transport=made, base_url="http://search") as search:
            await search.get("/")
            asking = asyncio.create_task(search.get("/"))
            await ending.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert held(made.balancer) == 0

    asyncio.run(main())


def test_an_error_amid_a_body_is_not_its_own_cause():
    class Broken:
        def __iter__(self) -> Any:
            raise httpx.ReadError("gone")

        def close(self) -> None: ...

    with pytest.raises(httpx.ReadError) as caught:
        list(SyncBody(Broken(), lambda _: None, None))
    assert caught.value.__cause__ is None


class Dripping(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A short body that takes a second a byte."""

    def __init__(self) -> None:
        self.now = self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(1000):
            self.now += 1
            self.sent += 1
            yield b"a"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self:
            yield part

    def answer(self) -> httpx.Response:
        return httpx.Response(200, headers={"content-length": "1000"}, stream=self)

    async def answer_soon(self) -> httpx.Response:
        return self.answer()


def test_a_body_that_drips_is_read_no_longer_than_the_deadline_although_it_is_small():
    settings = Settings(deadline_s=10.0)

    async def main() -> None:
        drips = Dripping()
        made = AsyncBalancedTransport(
            THREE, connect=lambda _: Async(drips.answer_soon), settings=settings
        )
        made._balanced.clock = lambda: float(drips.now)
        async with httpx.AsyncClient(transport=made, base_url="http://search") as search:
            with pytest.raises(httpx.ReadTimeout):
                await search.get("/")
        assert (drips.sent, held(made.balancer)) == (10, 0)

    asyncio.run(main())
    drips = Dripping()
    made = BalancedTransport(THREE, connect=lambda _: Sync(drips.answer), settings=settings)
    made._balanced.clock = lambda: float(drips.now)
    search = httpx.Client(transport=made, base_url="http://search")
    with search, pytest.raises(httpx.ReadTimeout):
        search.get("/")
    assert (drips.sent, held(made.balancer)) == (10, 0)
