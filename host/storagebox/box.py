"""The storage box: registrar, house clock, sources, coordinator and control socket, put together.

    async with Box(name="home", address="192.168.1.2", state=folder) as box:
        await box.finished()

One thread and one event loop serve all devices; sources decode in processes of their own.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import resource
import signal
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from phantom.rpc import REFUSED, RpcError
from phantom.wire import CLOCK_PORT, mux

from . import installation
from .control import CONTROL_SOCKET, ControlError, ControlServer
from .coordinator.coordinator import Coordinator
from .coordinator.roster import Wiring
from .installation import InstallationError, Membership
from .journal import Journal
from .library.beside import Library
from .pins.beside import beside
from .registrar import Registrar
from .registrar.consul.beside import beside as consul
from .registrar.dnssd import Announcement
from .registrar.standings import Standings
from .sources.pool import SourcePool
from .sources.source import SourceError
from .store.interface import StoreError
from .store.sqlite import SqliteStore
from .streamer.box_clock import ANYWHERE, BoxClock, ClockError
from .streamer.house_clock import HouseTime
from .streamer.stream import TICK_US
from .streamer.sweep import Sweep

# A connection that is stuck is noticed within this; see streamer.overtaking.STUCK_S.
HOUSEKEEPING_S = 0.05
# Links to a house of a hundred devices, racers beside them, and everything else.
DESCRIPTORS = 512
STORE = "store.db"  # in the state folder
_TICK_S = TICK_US / 1_000_000


class BoxError(Exception):
    """The box can't start; the message is one line that says why and what to do."""


class Box:
    """A box of one installation.

    `name` is the installation's, if this is the first start in `state`, the box's folder.
    `address` is where devices find it, and where its links come from; "0.0.0.0" leaves that to
    the routes. `control` is the socket's path, by default in `state`. Without a `generation`, the
    box carries on the time that it finds, or founds one.
    """

    def __init__(
        self,
        *,
        state: Path,
        name: str = installation.DEFAULT_NAME,
        address: str = "0.0.0.0",
        control: Path | None = None,
        music: Path | None = None,
        clock_port: int = CLOCK_PORT,
        generation: int | None = None,
        seed: int | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.state = state
        self.music = music
        self.control_path = control or state / CONTROL_SOCKET
        self.library = None
        if music is not None and music.is_dir():
            self.library = Library(music, state, self.control_path)
        self.journal = journal or Journal()
        self._name = name
        self._address = address
        self._clock_port = clock_port
        self._rng = random.Random(seed)
        self._carries_on = generation is None
        self.house = HouseTime(_random32() if generation is None else generation)
        self.membership: Membership | None = None
        self.registrar: Registrar | None = None
        self._dnssd: Announcement | None = None
        self.clock: BoxClock | None = None
        self.coordinator: Coordinator | None = None
        self._pool = SourcePool()
        self._store: SqliteStore | None = None
        self._standings: Standings | None = None
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
        sources = asyncio.ensure_future(self._pool.start())  # takes longest: beside all else
        try:
            await self._open()
        except (InstallationError, StoreError, ClockError) as fault:
            raise BoxError(str(fault)) from None
        finally:
            if self.coordinator is None:
                sources.cancel()
        coordinator, clock, standings = self.coordinator, self.clock, self._standings
        assert coordinator is not None
        assert clock is not None
        assert standings is not None
        self._tasks = [
            asyncio.ensure_future(self._pump(coordinator)),
            asyncio.ensure_future(self._keep_house(coordinator)),
            asyncio.ensure_future(clock.keep()),
            asyncio.ensure_future(standings.run()),
        ]
        coordinator.start()
        self._control = ControlServer(
            self.control_path, self._methods(), self.journal.fault, {"watch": coordinator.watch}
        )
        try:
            await self._control.start()
            # Who asks is answered before the spare source is warm: what plays was not waiting.
            await sources
        except (ControlError, SourceError) as fault:
            raise BoxError(str(fault)) from None
        # What lives now lives for ever: the collector need not look at it again.
        gc.freeze()
        assert self.membership is not None
        self.journal.emit(
            "box.ready",
            installation=self.membership.name,
            box=self.membership.id,
            address=self._address,
            clock_port=clock.port,
            control=str(self.control_path),
            started_ms=round((loop.time() - self._began_s) * 1000),
        )

    async def _open(self) -> None:
        """Everything but the sources: time comes before it is served, topology before devices."""
        loop = asyncio.get_running_loop()
        self._began_s = loop.time()
        self.membership = membership = installation.start(self.state, self._name)
        # Its port is taken first: another box here is found out before anything is announced.
        self.clock = clock = BoxClock(self.house, self._address, self._clock_port)
        self._store = store = await SqliteStore.open(self.state / STORE, self._store_set_aside)
        local = None if self._address in ANYWHERE else self._address
        self.registrar = registrar = Registrar(
            membership,
            role=mux.ROLE_BOX,
            name=membership.id,
            journal=self.journal,
            address=local,
        )
        await registrar.start()
        self._sweep = Sweep(loop)
        wiring = Wiring(membership, self._sweep, self._rng, self.journal, local)
        coordinator = Coordinator(
            registrar, store, self._pool, self.house, wiring, music=self.music
        )
        await coordinator.load()
        carried_on = self._carries_on and await clock.carry_on(registrar, self._began_s)
        if self._carries_on:
            self.journal.emit(
                "time.carried_on" if carried_on else "time.founded",
                generation=self.house.generation,
            )
        clock.serve(membership.id, registrar, founded=not carried_on)
        self._standings = Standings(registrar)
        self.coordinator = coordinator
        self._dnssd = Announcement(
            membership,
            membership.name,
            registrar.addresses,
            port=clock.port,
            journal=self.journal,
        )
        await self._dnssd.start()

    async def finished(self) -> None:
        """Wait until somebody wants the box to end: `quit`, by the control socket or here."""
        await self._quit.wait()

    def quit(self) -> bool:
        """Ask the box to end."""
        self._quit.set()
        return True

    async def close(self) -> None:
        """End everything: the music, the links, the sources, the sockets."""
        if self._control:
            await self._control.close()
        if self.coordinator:
            await self.coordinator.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.close()
        if self._dnssd:
            await self._dnssd.close()
        if self.registrar:
            await self.registrar.close()
        if self._sweep:
            self._sweep.close()
        if self.clock:
            self.clock.close()
        if self._store:
            await self._store.close()
        self.journal.emit("box.end")

    def status(self) -> dict[str, Any]:
        """The coordinator's status, who was chosen and why, and the box's own counters."""
        assert self.coordinator is not None
        assert self.clock is not None
        keeper = self.clock.keeper
        assert self.registrar is not None
        assert keeper is not None
        assert self._standings is not None
        return {
            **self.coordinator.status(),
            "chosen": self.coordinator.chosen(keeper.server, keeps=keeper.keeps),
            "services": self._standings.told(),
            "clock": vars(self.clock.counters),
            "beacons": self.registrar.counters,
        }

    def _methods(self) -> dict[str, Any]:
        coordinator = self.coordinator
        assert coordinator is not None
        playing, arranging, volumes = (
            coordinator.playing,
            coordinator.arranging,
            coordinator.volumes,
        )
        return {
            "play": playing.play,
            "pause": playing.pause,
            "resume": playing.resume,
            "stop": playing.stop,
            "group": playing.group,
            "ungroup": playing.ungroup,
            "volume": volumes.volume,
            "mute": volumes.mute,
            "pair": arranging.pair,
            "unpair": arranging.unpair,
            "name": arranging.name,
            "trim": arranging.trim,
            "side": arranging.side,
            "adopt": arranging.adopt,
            "forget": arranging.forget,
            "identify": coordinator.identify,
            "call": coordinator.call,
            "measure": coordinator.measure,
            "wait": coordinator.wait,
            "update": coordinator.updates.update,
            "updates": coordinator.updates.boards,
            "cancel_update": coordinator.updates.cancel,
            "rooms": coordinator.list_rooms,
            "status": self.status,
            "library": self._where_library,
            "quit": self.quit,
        }

    def _where_library(self) -> dict[str, Any]:
        if self.library is None:
            raise RpcError(REFUSED, "no library: start the box with --music, your music's folder")
        return self.library.where()

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
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < DESCRIPTORS:
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))

    def _store_set_aside(self, text: str) -> None:
        self.journal.emit("store.set_aside", reason=text)

    # Running

    async def _pump(self, coordinator: Coordinator) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await coordinator.playing.active.wait()
            due = loop.time()
            while coordinator.playing.active.is_set():
                coordinator.pump(self.house.now_us())
                due = max(due + _TICK_S, loop.time())  # a tick missed is not made up for
                await asyncio.sleep(due - loop.time())

    async def _keep_house(self, coordinator: Coordinator) -> None:
        loop = asyncio.get_running_loop()
        while True:
            coordinator.tick(loop.time())
            await asyncio.sleep(HOUSEKEEPING_S)


async def serve(
    box: Box, pins: Path | None = None, *, consul_http: str = "", consul_dns: str = ""
) -> None:
    """Run a box until `quit`, SIGTERM or SIGINT; `pins` is the file of its buttons and lights.

    `consul_http` and `consul_dns` are where Consul's API and names are served, empty for nowhere.
    Raises BoxError if it can't start.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, box.quit)
    async with box, AsyncExitStack() as stack:
        if box.library is not None:
            await stack.enter_async_context(box.library.beside(box.journal))
        if pins is not None:
            await stack.enter_async_context(beside(pins, box.control_path, box.journal))
        if consul_http or consul_dns:
            assert box.registrar is not None
            registry = consul(box.registrar, box.journal, http=consul_http, dns=consul_dns)
            await stack.enter_async_context(registry)
        await box.finished()


def _random32() -> int:
    return int.from_bytes(os.urandom(4), "little")
