"""A box and emulated boards that it gives new code."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from boards.emulated.board import EmulatedBoard
from storagebox import installation
from storagebox.box import Box

# Of this run: boards of other runs on this machine are none of its house.
HOUSE = {"id": secrets.token_hex(8), "key": secrets.token_hex(32), "name": "updates"}


@asynccontextmanager
async def house(tmp_path: Path, *boards: EmulatedBoard) -> AsyncIterator[Box]:
    """A box with these boards, in time."""
    state = tmp_path / "box"
    installation.found(state, HOUSE)
    address = boards[0].address.rpartition(".")[0] + ".200"
    async with Box(state=state, address=address, clock_port=0) as box:
        assert box.coordinator is not None
        for board in boards:
            board.start()
        await box.coordinator.wait("devices", 30, len(boards))
        yield box
        assert not [e for e in box.journal.latest if e["event"] == "fault"]


async def over(box: Box) -> dict[str, Any]:
    """The job, once it is over."""
    assert box.coordinator is not None
    updates = box.coordinator.updates
    async with asyncio.timeout(100):
        while updates.job.running:
            await asyncio.sleep(0.05)
    return updates.job.as_dict()
