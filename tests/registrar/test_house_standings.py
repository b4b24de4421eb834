"""How servers that are found by beacons stand with the box: who is well, who would be chosen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from storagebox.registrar.standings import Standings
from tests.balance.resolver.house import House, Peer
from tests.balance.transport.servers import servers
from tests.standins import until

TIMED = False


@asynccontextmanager
async def followed(house: House) -> AsyncIterator[Standings]:
    standings = Standings(house)
    running = asyncio.ensure_future(standings.run())
    try:
        yield standings
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert house.subscribers == []


def states(standings: Standings) -> dict[str, str]:
    (told,) = standings.told()
    return {server["id"]: server["state"] for server in told["servers"]}


def test_a_house_without_servers_is_told_of_and_asked_nothing():
    async def story() -> None:
        house = House()
        async with followed(house) as standings:
            await until(lambda: house.subscribers, "it listens")
            house.now(Peer("kitchen", services={"clock": 4771}))
            assert standings.told() == []

    asyncio.run(story())


def test_who_is_not_well_is_not_chosen_and_the_state_says_why():
    with servers(2) as (one, other):
        other.status = 500

        async def story() -> None:
            house = House()
            async with followed(house) as standings:
                await until(lambda: house.subscribers, "it listens")
                house.now(
                    Peer("a", ["127.0.0.1"], {"search": one.endpoint.port}),
                    Peer("b", ["127.0.0.1"], {"search": other.endpoint.port}),
                )
                await until(standings.told, "they are found")
                ill = "checks fail: HTTP 500"
                await until(lambda: states(standings) == {"a": "well", "b": ill}, "asked")
                told: dict[str, Any] = standings.told()[0]
                assert (told["service"], told["chosen"], told["because"]) == (
                    "search",
                    "a",
                    "policy",
                )
                assert [server["well"] for server in told["servers"]] == [True, False]
                assert [server["server"] for server in told["servers"]] == [
                    one.endpoint.address,
                    other.endpoint.address,
                ]
                house.now()
                await until(lambda: not standings.told(), "they have gone")

        asyncio.run(story())
        assert {path for _, path, _, _ in other.seen} == {"/1/isalive"}


def test_where_all_are_ill_the_choice_says_so():
    with servers(1) as (one,):
        one.status = 500

        async def story() -> None:
            house = House()
            house.now(Peer("a", ["127.0.0.1"], {"search": one.endpoint.port}))
            async with followed(house) as standings:
                await until(standings.told, "it is found")
                await until(lambda: "HTTP 500" in states(standings)["a"], "it is asked")
                assert standings.told()[0]["because"] == "panic"

        asyncio.run(story())
