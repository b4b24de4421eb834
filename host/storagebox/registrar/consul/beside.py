"""The box's end of the registry: its process, told of everybody whom the box's registrar hears."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final

from phantom.peer import Peer
from phantom.registrar import REMOVED
from phantom.wire import mux
from storagebox.beside import RESTART_S, Feed, Helper
from storagebox.beside import beside as run_beside
from storagebox.journal import Journal
from storagebox.registrar import Registrar

from .house import Housemate

MODULE: Final = "storagebox.registrar.consul"
_ROLES: Final = {mux.ROLE_DEVICE: "device", mux.ROLE_BOX: "box"}


@asynccontextmanager
async def beside(
    registrar: Registrar,
    journal: Journal,
    *,
    http: str = "",
    dns: str = "",
    restart_s: float = RESTART_S,
) -> AsyncGenerator[None, None]:
    """Serve the house's registry at these addresses (docs/consul.md) while the block lasts."""

    def everybody() -> list[Mapping[str, Any]]:
        mates = [_own(registrar), *map(_mate, registrar.peers())]
        return [{"only": [mate.id for mate in mates]}, *map(_seen, mates)]

    feed = Feed(everybody)

    def changed(kind: str, peer: Peer | None, reason: str) -> None:
        if peer is None:
            return
        if kind == REMOVED:
            feed.tell({"gone": peer.id, "reason": reason})
        elif registrar.peer(peer.id) is not None:
            feed.tell(_seen(_mate(peer)))

    own = _own(registrar)
    address = own.addresses[0] if own.addresses else "127.0.0.1"
    options = [*(("--http", http) if http else ()), *(("--dns", dns) if dns else ())]
    helper = Helper(MODULE, (own.id, address, *options), "consul", "Consul's API and names")
    end = registrar.subscribe(changed)
    try:
        async with run_beside(helper, journal, feed=feed, restart_s=restart_s):
            yield
    finally:
        end()


def _seen(mate: Housemate) -> Mapping[str, Any]:
    return {"seen": asdict(mate)}


def _mate(peer: Peer) -> Housemate:
    role = _ROLES.get(peer.role, "client")
    addresses, services = list(peer.addresses), dict(peer.services)
    return Housemate(peer.id, peer.name, role, addresses, peer.port, services)


def _own(registrar: Registrar) -> Housemate:
    me = registrar.core.me
    return Housemate(me.id, me.name, "box", registrar.addresses(), me.port, dict(me.services))
