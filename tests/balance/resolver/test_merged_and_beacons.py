"""The first of several that knows somebody; and a registrar's peers."""

import asyncio
from collections.abc import Sequence

import pytest

from storagebox.balance import Endpoint
from storagebox.balance.resolver import Publish
from storagebox.balance.resolver.beacons import Beacons, Registrar
from storagebox.balance.resolver.merged import Merged
from storagebox.balance.resolver.static import Static
from storagebox.registrar import Registrar as HouseRegistrar
from tests.balance.resolver.house import House, Peer
from tests.balance.resolver.published import watching

A, B = Endpoint("10.0.0.1", 80), Endpoint("10.0.0.2", 80)


class Told:
    """Publishes what a test says."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[Sequence[Endpoint]] = asyncio.Queue()

    async def watch(self, publish: Publish) -> None:
        while True:
            publish(await self.says.get())


class Broken:
    async def watch(self, publish: Publish) -> None:
        raise ValueError("no such thing")


def test_the_first_that_knows_somebody_is_believed():
    async def main() -> None:
        first, second = Told(), Told()
        async with watching(Merged([first, second], patience_s=3600)) as published:
            second.says.put_nowait([B])
            first.says.put_nowait([A])
            assert set(await published.next()) == {A.id}
            first.says.put_nowait([])
            assert set(await published.next()) == {B.id}
            second.says.put_nowait([])
            assert await published.next() == {}
            first.says.put_nowait([A])
            assert set(await published.next()) == {A.id}

    asyncio.run(main())


def test_a_first_that_says_nothing_is_not_waited_for_for_ever():
    async def main() -> None:
        silent = Told()
        async with watching(Merged([silent, Static([B])], patience_s=0.01)) as published:
            assert set(await published.next()) == {B.id}
            silent.says.put_nowait([A])
            assert set(await published.next()) == {A.id}

    asyncio.run(main())


def test_nobody_is_said_only_when_nobody_can_know_somebody():
    async def main() -> None:
        silent = Told()
        async with watching(Merged([silent, Static([])], patience_s=0.0)) as published:
            for _ in range(5):
                await asyncio.sleep(0)
            assert published.silent
            silent.says.put_nowait([])
            assert await published.next() == {}

    asyncio.run(main())


@pytest.mark.parametrize("wrong", [[], [Static([A]), Broken()]])
def test_one_that_no_waiting_mends_ends_all(wrong: list[Static | Broken]):
    with pytest.raises(ValueError, match=r"no such thing|at least one"):
        asyncio.run(Merged(wrong).watch(lambda _: None))


def test_peers_that_offer_a_service_are_endpoints():
    async def main() -> None:
        house = House()
        async with watching(Beacons(house, "search")) as published:
            assert await published.next() == {}
            house.now(Peer("box-1", ["10.0.0.1", "10.0.0.2"]), Peer("board", services={}))
            told = await published.next()
            assert told == {"box-1": Endpoint("10.0.0.1", 7700, id="box-1")}
            house.now(Peer("box-1", ["10.0.0.9"]), Peer("mute", addresses=[]))
            assert (await published.next())["box-1"].host == "10.0.0.9"
            house.now(Peer("box-1", ["10.0.0.9"]))
            house.now()
            assert await published.next() == {}
        assert house.subscribers == []

    asyncio.run(main())


def test_who_has_only_begun_to_listen_does_not_say_that_nobody_is_there():
    async def main() -> None:
        house = House()
        async with watching(Beacons(house, "search", patience_s=3600.0)) as published:
            for _ in range(5):
                await asyncio.sleep(0)
            assert published.silent
            house.now(Peer("board", services={}))
            house.now(Peer("box-1"))
            await asyncio.sleep(0)
            house.now(Peer("box-1"), Peer("box-2"))
            assert set(await published.next()) == {"box-1", "box-2"}, "told of at once"
            house.now()
            assert await published.next() == {}, "they were there, and have gone"

    asyncio.run(main())


def test_the_houses_registrar_is_one():
    asked: type[Registrar] = HouseRegistrar
    assert callable(asked.find)
    assert callable(asked.subscribe)
