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
from tests.balance.skipped_time import now, run

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


class Later:
    """Publishes memberships at their times, in a loop whose time is skipped."""

    def __init__(self, *says: tuple[float, list[Endpoint]]) -> None:
        self.says = says

    async def watch(self, publish: Publish) -> None:
        for at_s, endpoints in self.says:
            await asyncio.sleep(at_s - now())
            publish(endpoints)
        await asyncio.Event().wait()


def heard(resolvers: list[Later], for_s: float = 10.0) -> list[tuple[float, list[str]]]:
    """When the resolvers together published whom."""
    told: list[tuple[float, list[str]]] = []

    async def main() -> None:
        merged = Merged(resolvers, patience_s=2.0)
        watching = asyncio.create_task(
            merged.watch(lambda them: told.append((now(), [each.host for each in them])))
        )
        await asyncio.sleep(for_s)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await asyncio.sleep(100.0)

    run(main())
    return told


def test_a_list_that_is_there_at_once_waits_for_the_registry_that_is_preferred():
    assert heard([Later((1.0, [A])), Later((0.0, [B]))]) == [(1.0, [A.host])]


def test_and_no_longer_than_its_patience():
    assert heard([Later((5.0, [A])), Later((0.0, [B]))]) == [(2.0, [B.host]), (5.0, [A.host])]


def test_once_somebody_was_known_nobody_is_waited_for_any_more():
    registry, silent, written = Later((0.5, [A]), (1.0, [])), Later(), Later((0.0, [B]))
    assert heard([registry, silent, written]) == [(0.5, [A.host]), (1.0, [B.host])]


def test_who_watches_no_more_is_told_nothing():
    assert heard([Later(), Later((0.0, [B]))], for_s=1.0) == []
