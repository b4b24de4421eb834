"""The storage box: house clock, source, coordinator and control socket, put together.

    async with Box(rooms.load(path), address="192.168.1.2", state=folder) as box:
        await box.finished()

One thread and one event loop serve all devices; sources decode in processes of their own.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import random
import resource
import signal
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from phantom.wire import CLOCK_PORT

from .control import CONTROL_SOCKET, ControlError, ControlServer
from .coordinator.coordinator import Coordinator
from .coordinator.rooms import Installation
from .journal import Journal
from .sources.process import SourceProcess
from .sources.source import SourceError
from .streamer.house_clock import HouseClockServer, HouseTime
from .streamer.stream import TICK_US
from .streamer.sweep import Sweep

# A connection that is stuck is noticed within this; see streamer.tcp.STUCK_S.
HOUSEKEEPING_S = 0.05
# A socket a device, and some for everything else.
SPARE_DESCRIPTORS = 64
_TICK_S = TICK_US / 1_000_000
_ANY = ("0.0.0.0", "::")


class BoxError(Exception):
    """The box can't start; the message is one line that says why and what to do."""


class Box:
    """A box for one installation.

    `address` is where devices find its clock, and where its links come from; "0.0.0.0" leaves that
    to the routes. `state` is its folder; `control` the socket's path, by default in there.
    `generation` of house time is random unless the box carries on a timeline.
    """

    def __init__(
        self,
        installation: Installation,
        *,
        address: str = "0.0.0.0",
        state: Path,
        control: Path | None = None,
        music: Path | None = None,
        clock_port: int = CLOCK_PORT,
        generation: int | None = None,
        seed: int | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.installation = installation
        self.state = state
        self.music = music
        self.control_path = control or state / CONTROL_SOCKET
        self.journal = journal or Journal()
        self._address = address
        self._clock_port = clock_port
        self._rng = random.Random(seed)
        generation = int.from_bytes(os.urandom(4), "little") if generation is None else generation
        self.house = HouseTime(generation)
        self.clock: HouseClockServer | None = None
        self.coordinator: Coordinator | None = None
        self._source = SourceProcess()
        self._sweep: Sweep | None = None
        self._control: ControlServer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._quit = asyncio.Event()

    async def __aenter__(self) -> Box:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._prepare()
        self.clock = clock = self._clock_server()
        loop.add_reader(clock.socket, clock.readable)
        self._sweep = Sweep(loop)
        self.coordinator = coordinator = Coordinator(
            self.installation,
            self._source,
            self.house,
            self.journal,
            self._sweep,
            clock_port=clock.port,
            local_address=None if self._address in _ANY else self._address,
            music=self.music,
            rng=self._rng,
        )
        coordinator.start()
        self._tasks = [
            asyncio.ensure_future(self._pump(coordinator)),
            asyncio.ensure_future(self._keep_house(coordinator)),
            asyncio.ensure_future(self._hear(coordinator)),
        ]
        try:
            await self._source.start()
        except SourceError as fault:
            raise BoxError(str(fault)) from None
        self._control = ControlServer(self.control_path, self._methods(), self.journal.fault)
        try:
            await self._control.start()
        except ControlError as fault:
            raise BoxError(str(fault)) from None
        # What lives now lives for ever: the collector need not look at it again.
        gc.freeze()
        self.journal.emit(
            "box.ready",
            installation=self.installation.name,
            address=self._address,
            clock_port=clock.port,
            control=str(self.control_path),
        )

    async def finished(self) -> None:
        """Wait until somebody wants the box to end: `quit`, by the control socket or here."""
        await self._quit.wait()

    def quit(self) -> bool:
        """Ask the box to end."""
        self._quit.set()
        return True

    async def close(self) -> None:
        """End everything: the music, the links, the source, the sockets."""
        if self._control:
            await self._control.close()
        if self.coordinator:
            await self.coordinator.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._source.close()
        if self._sweep:
            self._sweep.close()
        if self.clock:
            asyncio.get_running_loop().remove_reader(self.clock.socket)
            self.clock.close()
        self.journal.emit("box.end")

    def status(self) -> dict[str, Any]:
        """The coordinator's status and the box's own counters."""
        assert self.coordinator is not None
        assert self.clock is not None
        return {**self.coordinator.status(), "clock": vars(self.clock.counters)}

    def _methods(self) -> dict[str, Any]:
        coordinator = self.coordinator
        assert coordinator is not None
        return {
            "play": coordinator.play,
            "stop": coordinator.stop,
            "level": coordinator.level,
            "wait": coordinator.wait,
            "status": self.status,
            "quit": self.quit,
        }

    # Starting

    def _prepare(self) -> None:
        if self.music is not None and not self.music.exists():
            raise BoxError(f"{self.music}: no such folder: give your music's by --music")
        try:
            self.state.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise BoxError(
                f"{self.state}: {fault.strerror}: give another folder by --state"
            ) from None
        wanted = sum(1 for _ in self.installation.devices) + SPARE_DESCRIPTORS
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < wanted:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))

    def _clock_server(self) -> HouseClockServer:
        try:
            return HouseClockServer(self.house, self._address, self._clock_port)
        except OSError as fault:
            where = f"UDP port {self._clock_port} of {self._address}"
            if fault.errno == errno.EADDRINUSE:
                raise BoxError(f"{where} is busy: does another box run here?") from None
            raise BoxError(
                f"{where}: {fault.strerror}: give another address by --address"
            ) from None

    # Running

    async def _pump(self, coordinator: Coordinator) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await coordinator.playing.wait()
            due = loop.time()
            while coordinator.playing.is_set():
                coordinator.pump(self.house.now_us())
                due = max(due + _TICK_S, loop.time())  # a tick missed is not made up for
                await asyncio.sleep(due - loop.time())

    async def _keep_house(self, coordinator: Coordinator) -> None:
        loop = asyncio.get_running_loop()
        while True:
            coordinator.tick(loop.time())
            await asyncio.sleep(HOUSEKEEPING_S)

    async def _hear(self, coordinator: Coordinator) -> None:
        async for event in self._source.events():
            coordinator.heard(event)


async def serve(box: Box) -> None:
    """Run a box until `quit`, SIGTERM or SIGINT. Raises BoxError if it can't start."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, box.quit)
    async with box:
        await box.finished()
