"""What programs of a house offer each other, on loopback: announced, found, drained, gone."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from storagebox import installation
from storagebox.balance import Endpoint
from storagebox.registrar.services import InHouse, announced
from tests.balance.resolver.published import watching

TIMED = False
ADDRESS = "127.98.0.1"


def house(state: Path) -> Path:
    """The folder of a box of a house of its own."""
    told = {"id": secrets.token_hex(8), "key": secrets.token_hex(32), "name": "test"}
    installation.found(state, told)
    return state


def searching(state: Path, patience_s: float = 3600.0) -> InHouse:
    return InHouse(installation.client(state), "search", ADDRESS, patience_s)


def test_a_service_is_found_until_it_drains(tmp_path: Path):
    state = house(tmp_path)
    server = installation.client(state, "search")
    assert server.id.startswith("search-")

    async def main() -> None:
        async with (
            watching(searching(state)) as published,
            announced(server, "search", 7700, ADDRESS) as said,
        ):
            told = Endpoint(ADDRESS, 7700, id=server.id)
            assert await published.next() == {server.id: told}
            await said.drain()
            assert await published.next() == {}

    asyncio.run(main())


def test_one_that_ends_is_gone_at_once(tmp_path: Path):
    state = house(tmp_path)

    async def main() -> None:
        async with watching(searching(state)) as published:
            async with announced(installation.client(state), "search", 7700, ADDRESS):
                assert await published.next()
            assert await published.next() == {}

    asyncio.run(main())


def test_another_house_and_another_service_are_not_found(tmp_path: Path):
    state, others = house(tmp_path / "a"), house(tmp_path / "b")
    same_id = installation.client(state)
    forged = installation.client(others)
    forged.installation = same_id.installation  # its name, and not its key

    async def main() -> None:
        async with (
            announced(installation.client(others), "search", 1, ADDRESS),
            announced(forged, "search", 2, ADDRESS),
            announced(same_id, "searches", 3, ADDRESS),
            announced(installation.client(state), "search", 4, ADDRESS),
            watching(searching(state)) as published,
        ):
            assert [endpoint.port for endpoint in (await published.next()).values()] == [4]

    asyncio.run(main())


def test_that_nobody_is_there_is_said_once_patience_is_over(tmp_path: Path):
    async def main() -> None:
        async with watching(searching(house(tmp_path), patience_s=0.0)) as published:
            assert await published.next() == {}

    asyncio.run(main())
