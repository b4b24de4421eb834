"""Stand-in devices for tests: `tools.bench.sink` in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from storagebox.coordinator import rooms
from storagebox.streamer.sweep import Sweep
from tools.bench.sink import Sink, house_us

PATIENCE_S = 20.0  # for what takes milliseconds on a machine that is not starved
_TURN_S = 0.01
_TURNS_A_REPORT = 5


async def until(done: Callable[[], Any], what: str) -> None:
    """Wait for a condition; fails with `what` if it never holds."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"never happened: {what}") from None


class Standins:
    """Some devices at work; `sinks` by id."""

    def __init__(self, picks: dict[str, str], **options: Any) -> None:
        self.picks = picks
        self.sweep = Sweep(asyncio.get_running_loop())
        self.sinks = {name: self._new(name, **options) for name in picks}

    def _new(self, name: str, **options: Any) -> Sink:
        return Sink(name, self.sweep, **options)

    def installation(self) -> rooms.Installation:
        """A rooms file with a room a device, named like it."""
        listed = [
            {
                "name": f"room {name}",
                "devices": [
                    {
                        "id": name,
                        "address": "127.0.0.1",
                        "port": sink.port,
                        "pick": self.picks[name],
                    }
                ],
            }
            for name, sink in self.sinks.items()
        ]
        return rooms.parse({"installation": "test", "rooms": listed})

    async def run(self) -> None:
        """Play and report until cancelled."""
        turn = 0
        while True:
            for sink in self.sinks.values():
                sink.play(house_us())
                if turn % _TURNS_A_REPORT == 0:
                    sink.report()
            turn += 1
            await asyncio.sleep(_TURN_S)


@asynccontextmanager
async def standins(picks: dict[str, str], **options: Any) -> AsyncIterator[Standins]:
    """Devices that listen on ports of their own until the block ends."""
    devices = Standins(picks, **options)
    running = asyncio.ensure_future(devices.run())
    try:
        yield devices
    finally:
        running.cancel()
        for sink in devices.sinks.values():
            sink.close()
        devices.sweep.close()
