"""A registrar's peers that offer a service: for programs that are in the house themselves."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.resolver import Publish
from storagebox.balance.resolver.faults import Faults

GATHER_S = 0.1
"""In a small house most have answered a question to everybody within this."""


class Peer(Protocol):
    """Another device, as far as it matters here."""

    @property
    def id(self) -> str:
        """The same through restarts and at all its addresses."""
        ...

    @property
    def addresses(self) -> Sequence[str]:
        """The best first."""
        ...

    @property
    def services(self) -> Mapping[str, int]:
        """Ports by name."""
        ...


class Registrar(Protocol):
    """Who knows peers, and tells when that changes (`storagebox.registrar.Registrar`)."""

    def find(self, service: str) -> Sequence[Peer]:
        """Those that offer a service."""
        ...

    def subscribe(self, callback: Callable[..., None]) -> Callable[[], None]:
        """Call back, with anything, at each change from now on; returns how to end that."""
        ...


@dataclass(frozen=True, slots=True)
class Beacons:
    """Peers that offer a service.

    An empty house is believed: beacons are no registry that could lose its memory, and a peer
    leaves the list only after its farewell or seconds of silence.

    Args:
        registrar: used within the event loop that runs `watch`.
        service: its name in beacons, such as `search`.
        patience_s: for so long, at first, it isn't said that nobody is there, for a registrar
            that has just been started hasn't heard anybody yet. Once it has, the others have as
            long again as the first took, and `GATHER_S` at least: who is told of later would
            count as one that has just started.
    """

    registrar: Registrar
    service: str
    patience_s: float = 0.0

    async def watch(self, publish: Publish) -> None:
        changed = asyncio.Event()
        changed.set()
        faults = Faults(f"beacons of {self.service}")
        published: list[Endpoint] | None = None
        now = asyncio.get_running_loop().time
        patience = _Patience(self.patience_s, now())
        end = self.registrar.subscribe(lambda *_: changed.set())
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(patience.until_s if published is None else None):
                        await changed.wait()
                changed.clear()
                endpoints, dropped = self._read()
                faults.dropped(dropped)
                if endpoints:
                    patience.met(now())
                waits = published is None and now() < patience.until_s
                if endpoints != published and not waits:
                    published = endpoints
                    publish(endpoints)
        finally:
            end()

    def _read(self) -> tuple[list[Endpoint], list[str]]:
        endpoints: list[Endpoint] = []
        dropped: list[str] = []
        for peer in self.registrar.find(self.service):
            host = next(iter(peer.addresses), "")
            try:
                endpoints.append(Endpoint(host, peer.services.get(self.service, 0), id=peer.id))
            except ValueError as fault:
                dropped.append(f"{peer.id}: {fault}")
        return endpoints, dropped


class _Patience:
    """How long nothing is said at first; times are the loop's."""

    def __init__(self, patience_s: float, now: float) -> None:
        self._began_s = now
        self._met = False
        self.until_s = now + patience_s

    def met(self, now: float) -> None:
        """Somebody is there. Only the first time counts."""
        if not self._met:
            self._met = True
            took_s = now - self._began_s
            self.until_s = min(self.until_s, now + max(took_s, GATHER_S))
