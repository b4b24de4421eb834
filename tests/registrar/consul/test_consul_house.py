"""The house's devices and boxes in the catalogue, as beacons tell of them."""

from __future__ import annotations

import asyncio
from typing import Any

from storagebox.registrar.consul.house import FORGET_S, House, Housemate
from tests.registrar.consul.served import Served

TIMED = False


def kitchen(**changes: Any) -> Housemate:
    fields = {
        "id": "esp32-aa",
        "name": "kitchen",
        "role": "device",
        "addresses": ["fe80::1%eth0", "10.0.0.5"],
        "port": 4770,
        "services": {"clock": 4771},
        **changes,
    }
    return Housemate.of(fields)


async def status(served: Served, service: str = "phantom-device") -> list[tuple[str, str, int]]:
    return [
        (entry["Node"]["Address"], entry["Checks"][0]["Status"], entry["Service"]["Port"])
        for entry in await served.get(f"health/service/{service}")
    ]


def test_a_device_is_a_node_with_its_services_and_its_liveness():
    async def test() -> None:
        served = Served()
        house = House(served.agent)
        house.seen(kitchen())
        assert await status(served) == [("10.0.0.5", "passing", 4770)]
        assert await status(served, "phantom-clock") == [("10.0.0.5", "passing", 4771)]
        (entry,) = await served.get("health/service/phantom-device")
        assert entry["Service"]["Meta"] == {"name": "kitchen", "role": "device"}
        index = served.catalog.latest
        house.seen(kitchen())
        assert served.catalog.latest == index, "nothing is new"
        house.seen(kitchen(addresses=["10.0.0.6"], services={}))
        assert await status(served) == [("10.0.0.6", "passing", 4770)]
        assert await status(served, "phantom-clock") == []

    asyncio.run(test())


def test_one_that_is_not_heard_is_critical_until_it_is_forgotten_or_comes_back():
    async def test() -> None:
        served = Served()
        house = House(served.agent)
        house.seen(kitchen())
        house.gone("esp32-aa", "timed out", 100.0)
        assert await status(served) == [("10.0.0.5", "critical", 4770)]
        house.seen(kitchen())
        house.tick(100.0 + FORGET_S)
        assert await status(served) == [("10.0.0.5", "passing", 4770)]
        house.gone("esp32-aa", "timed out", 200.0)
        house.tick(199.0 + FORGET_S)
        assert await status(served)
        house.tick(200.0 + FORGET_S)
        assert await status(served) == []
        assert len(await served.get("catalog/nodes")) == 1

    asyncio.run(test())


def test_one_that_says_goodbye_goes_at_once_and_a_stranger_is_nothing():
    async def test() -> None:
        served = Served()
        house = House(served.agent)
        house.seen(kitchen())
        house.gone("nobody", "goodbye", 0.0)
        house.gone("esp32-aa", "goodbye", 0.0)
        assert await status(served) == []
        house.seen(kitchen())
        house.only(["n1", "other"])
        assert await status(served) == []

    asyncio.run(test())


def test_our_own_box_stays_our_node_and_moves_with_its_address():
    async def test() -> None:
        served = Served()
        house = House(served.agent)
        house.seen(kitchen(id="n1", role="box", addresses=["10.0.0.2"], port=0))
        assert await status(served, "phantom-box") == [("10.0.0.2", "passing", 4771)]
        (entry,) = await served.get("health/service/phantom-box")
        assert [check["CheckID"] for check in entry["Checks"]] == ["serfHealth"]
        told = await served.get("agent/self")
        assert told["Member"]["Addr"] == "10.0.0.2"

    asyncio.run(test())
