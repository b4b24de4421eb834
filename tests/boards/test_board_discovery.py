"""Boards find each other and are found: real firmware, real sockets, on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from boards.emulated.board import EmulatedBoard
from phantom.wire import mux
from storagebox.registrar import Registrar
from tools.demo.installation import member

MakeBoard = Callable[..., EmulatedBoard]
PATIENCE = 20.0


@asynccontextmanager
async def _box(address: str) -> AsyncIterator[Registrar]:
    box = Registrar(member("box"), role=mux.ROLE_BOX, name="box", address=address)
    await box.start()
    try:
        yield box
    finally:
        await box.close()


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def _ids(box: Registrar) -> list[str]:
    return [peer.id for peer in box.find("link")]


def test_boards_are_found_with_what_they_offer_and_die_within_three_seconds(
    make_board: MakeBoard,
) -> None:
    async def test() -> None:
        async with _box("127.90.0.2") as box:
            boards = [make_board("kitchen"), make_board("bath")]
            for board in boards:
                board.start()
            await _until(lambda: _ids(box) == ["bath", "kitchen"])
            peer = box.peer("kitchen")
            assert peer is not None
            assert peer.addresses == [boards[0].address]
            assert (peer.port, peer.services["link"], peer.boot) == (4770, 4770, 1)
            boards[0].kill()
            died = time.monotonic()
            await _until(lambda: _ids(box) == ["bath"])
            assert time.monotonic() - died < 3.5  # three seconds, and a busy machine
            boards[0].start()
            await _until(lambda: _ids(box) == ["bath", "kitchen"])
            peer = box.peer("kitchen")
            assert peer is not None
            assert peer.boot == 2

    asyncio.run(test())
