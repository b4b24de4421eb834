"""The clock of one box: it learns what time it is in the house, then tells it, and keeps it.

The order matters: its port is taken first, so that another box here is found out before anything
is announced; nobody is answered before the time is known; and only who answers is announced.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from phantom.timekeeper import KEEPS_TIME, SERVICE

from .follow import TimePeer, follow_devices
from .house_clock import ClockCounters, HouseClockServer, HouseTime
from .house_keeper import HouseKeeper

# Devices answer a box that looks for them within this; none at all in a house that is dark.
MEET_S = 0.5
# Once some have answered, the others have as long again as they took, and no less than this.
_MEET_MORE_S = 0.1
_MEET_POLL_S = 0.02
ANYWHERE = ("0.0.0.0", "::")  # the routes say at which address


class ClockError(Exception):
    """The clock can't be served; the message is one line that says why and what to do."""


class Neighbours(Protocol):
    """The part of `storagebox.registrar.Registrar` that the clock uses."""

    def peers(self) -> Iterable[TimePeer]: ...
    def find(self, service: str, /) -> object: ...
    def set_service(self, name: str, port: int, /) -> object: ...
    def set_flag(self, flag: int, on: bool, /) -> object: ...


class BoxClock:
    """Serves `house` at an address, and of any address in both families. Raises ClockError if
    the port can't be had."""

    def __init__(self, house: HouseTime, address: str, port: int) -> None:
        self.house = house
        self.counters = ClockCounters()
        self.keeper: HouseKeeper | None = None  # since `serve`
        anywhere = "0.0.0.0" if address in ANYWHERE else address
        try:
            server = HouseClockServer(house, anywhere, port, self.counters)
        except OSError as fault:
            raise ClockError(_why(fault, address, port)) from None
        self._servers = [server]
        self.port = server.port
        if address in ANYWHERE:
            with suppress(OSError):  # a machine without IPv6
                self._servers.append(HouseClockServer(house, "::", self.port, self.counters))

    async def carry_on(self, neighbours: Neighbours, since_s: float) -> bool:
        """Take over the time that others keep, if anybody does. `since_s` is when, by the loop's
        time, they were first asked for."""
        loop = asyncio.get_running_loop()
        met_s = 0.0
        while (passed_s := loop.time() - since_s) < MEET_S:
            if not neighbours.find(SERVICE):
                met_s = passed_s
            elif passed_s >= min(2 * met_s, met_s + _MEET_MORE_S):
                break
            await asyncio.sleep(_MEET_POLL_S)
        timeline = await follow_devices(neighbours.peers())
        if timeline is not None:
            self.house.adopt(timeline)
        return timeline is not None

    def serve(self, me: str, neighbours: Neighbours, *, founded: bool) -> None:
        """Answer as the box `me`, and say so. `founded`: the time was not carried on."""
        loop = asyncio.get_running_loop()
        for server in self._servers:
            loop.add_reader(server.socket, server.readable)
        neighbours.set_service(SERVICE, self.port)
        self.keeper = HouseKeeper(
            self.house, me, neighbours.peers, lambda keeps: neighbours.set_flag(KEEPS_TIME, keeps)
        )
        self.keeper.begin(founded=founded)

    async def keep(self) -> None:
        """Follow the house's time, or stand for it, until cancelled."""
        assert self.keeper is not None, "serve comes first"
        await self.keeper.run()

    def close(self) -> None:
        """Answer nobody any more."""
        for server in self._servers:
            asyncio.get_running_loop().remove_reader(server.socket)
            server.close()


def _why(fault: OSError, address: str, port: int) -> str:
    where = f"UDP port {port} of {address}"
    if fault.errno == errno.EADDRINUSE:
        return f"{where} is busy: does another box run here?"
    return f"{where}: {fault.strerror}: give another address by --address"
