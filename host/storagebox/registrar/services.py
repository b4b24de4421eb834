"""Services of the house's own programs: one announces what it offers, another finds it.

    async with announced(installation.client(state, "search"), "search", 7700) as said:
        ... serve ...
        await said.drain()  # nobody new comes; what is under way is finished

    BalancedTransport(InHouse(installation.client(state), "search"))

Both need a copy of the installation: its key signs beacons, and only what it signed is believed.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from phantom.wire import mux
from storagebox.balance.resolver import Publish
from storagebox.balance.resolver.beacons import Beacons
from storagebox.installation import Membership

from .registrar import Registrar

# Who begins to listen asks three times within its first second, and is answered soon; where all of
# that is lost, beacons come once a second.
PATIENCE_S: Final = 2.0


@dataclass(frozen=True)
class InHouse:
    """Resolves to who offers a service in the house; listens for as long as it is watched.

    Args:
        membership: as whom it listens.
        service: its name in beacons.
        address: the one address of this machine to listen at; all if it is None.
    """

    membership: Membership
    service: str
    address: str | None = None
    patience_s: float = PATIENCE_S

    def __str__(self) -> str:
        """As people write it."""
        return (
            f"house://{self.address}/{self.service}" if self.address else f"house://{self.service}"
        )

    async def watch(self, publish: Publish) -> None:
        """Publish who there is, anew at each change, until cancelled."""
        registrar = _registrar(self.membership, self.address)
        await registrar.start()
        try:
            await Beacons(registrar, self.service, self.patience_s).watch(publish)
        finally:
            await registrar.close()


class Announced:
    """A service as the house is told of it; made by `announced`."""

    def __init__(self, registrar: Registrar, service: str) -> None:
        self._registrar = registrar
        self._service = service

    async def drain(self) -> None:
        """Offer it no more."""
        self._registrar.set_service(self._service, None)


@asynccontextmanager
async def announced(
    membership: Membership, service: str, port: int, address: str | None = None
) -> AsyncGenerator[Announced]:
    """Tell the house of a service of this program, at `address` or else all that there are."""
    registrar = _registrar(membership, address, {service: port})
    await registrar.start()
    try:
        yield Announced(registrar, service)
    finally:
        await registrar.close()


def _registrar(
    membership: Membership, address: str | None, services: Mapping[str, int] | None = None
) -> Registrar:
    return Registrar(
        membership,
        role=mux.ROLE_CLIENT,
        name=socket.gethostname(),
        services=services,
        address=address,
    )
