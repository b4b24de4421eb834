"""Stand-in devices for tests: `tools.bench.sink` in the test's own event loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from phantom.topology import MAX_VOLUME
from storagebox import installation
from storagebox.streamer.sweep import Sweep
from tools.bench.sink import Sink, house_us

PATIENCE_S = 60.0  # for what takes milliseconds on a machine that is not starved
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
    """Some devices at work; `sinks` by id. They share an installation of their own."""

    def __init__(
        self, picks: dict[str, str], now_us: Callable[[], int] = house_us, **options: Any
    ) -> None:
        self.picks = picks
        self._now_us = now_us
        self.installation = {
            "id": secrets.token_hex(8),
            "key": secrets.token_hex(32),
            "name": "test",
        }
        self.sweep = Sweep(asyncio.get_running_loop())
        self.sinks = {name: self._new(name, **options) for name in picks}

    def _new(self, name: str, **options: Any) -> Sink:
        own = {"installation": self.installation, "now_us": self._now_us}
        sink = Sink(name, self.sweep, **own, **options)
        facts = {"name": name, "system": name, "side": self.picks[name], "trim_us": 0}
        sink.topology.apply(f"d:{name}", {**facts, "level_db10": 0, "max_volume": MAX_VOLUME})
        sink.topology.apply(f"s:{name}", {"name": f"room {name}"})
        return sink

    def add(self, name: str, pick: str, **options: Any) -> Sink:
        """Switch on one more device."""
        self.picks[name] = pick
        self.sinks[name] = self._new(name, **options)
        return self.sinks[name]

    def admit(self, state: Path) -> Path:
        """Make the box whose folder is `state` one of their installation."""
        installation.found(state, self.installation)
        return state

    async def run(self) -> None:
        """Play and report until cancelled."""
        turn = 0
        while True:
            for sink in list(self.sinks.values()):
                if sink.dead:
                    continue
                sink.play(self._now_us())
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
            if not sink.dead:
                sink.close()
        devices.sweep.close()
