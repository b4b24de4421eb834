"""A box's link under test, with its ticks, and a stand-in device at its other end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from phantom.wire import audio
from storagebox.streamer.channels import Hello
from storagebox.streamer.link import Link
from storagebox.streamer.sweep import Sweep
from tests.standins import standins, until
from tools.bench.sink import Sink
from tools.demo.installation import INSTALLATION, member


class Linked:
    """A running Link and what it told."""

    def __init__(
        self,
        port: int,
        sweep: Sweep,
        address: str = "127.0.0.1",
        belongs: Mapping[str, str] = INSTALLATION,
    ) -> None:
        self.ups: list[Hello] = []
        self.downs: list[str] = []
        self.faults: list[str] = []
        self.link = Link(
            address,
            port,
            membership=member("box", 1, belongs),
            sweep=sweep,
            rng=random.Random(1),
            on_up=self.ups.append,
            on_down=self.downs.append,
            on_fault=lambda where, _: self.faults.append(where),
        )

    async def tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.link.tick(loop.time())
            await asyncio.sleep(0.02)


@asynccontextmanager
async def linked(
    port: int, address: str = "127.0.0.1", belongs: Mapping[str, str] = INSTALLATION
) -> AsyncIterator[Linked]:
    """A Link to a port of this machine."""
    sweep = Sweep(asyncio.get_running_loop(), rest_s=0.0005)
    made = Linked(port, sweep, address, belongs)
    tasks = [asyncio.ensure_future(made.link.run()), asyncio.ensure_future(made.tick())]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        sweep.close()


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Linked, Sink]]:
    """A Link and its device, connected."""
    async with standins({"kitchen": audio.BOTH}) as devices:
        sink = devices.sinks["kitchen"]
        async with linked(sink.port, belongs=devices.installation) as made:
            await until(lambda: made.link.up, "the link is up")
            yield made, sink
            assert made.faults == []
