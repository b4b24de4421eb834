"""The house's own devices and boxes in the catalogue, from what the registrar knows of them.

Each is a node with its id as name, and offers `phantom-device`, `phantom-box` or `phantom-client`
and a `phantom-NAME` for each service that its beacons tell. One that says goodbye goes; one that
isn't heard any more is critical for FORGET_S before it goes, so that watchers see why.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .agent import Agent
from .definitions import CRITICAL, PASSING, Check, Node, Service

CHECK: Final = "phantom-heard"
FORGET_S: Final = 600.0
TIMED_OUT: Final = "timed out"
_PREFIX: Final = "phantom-"


@dataclass(frozen=True)
class Housemate:
    """One that beacons tell of. `role` is "device", "box" or "client"; `port` 0 is none."""

    id: str
    name: str
    role: str
    addresses: Sequence[str]
    port: int
    services: Mapping[str, int]

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Housemate:
        """From plain JSON values, one of each field."""
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__})


class House:
    """Writes the catalogue of an agent, whose own node is a box of the house."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._catalog = agent.catalog
        self._silent_since_s: dict[str, float] = {}

    def seen(self, mate: Housemate) -> None:
        """It is here, or is otherwise than it was. Raises Refused if the catalogue is full."""
        self._silent_since_s.pop(mate.id, None)
        address = _best(mate.addresses)
        if mate.id.lower() != self._agent.node.name.lower():
            self._catalog.put_node(Node(mate.id, address))
            self._tell(mate.id, PASSING, "Heard by its beacons")
        elif address:
            self._agent.move(address)
        wanted = {service.id: service for service in _services(mate)}
        held = self._catalog.node(mate.id)
        for service_id in list(held.services if held else ()):
            if service_id.startswith(_PREFIX) and service_id not in wanted:
                self._catalog.drop_service(mate.id, service_id)
        for service in wanted.values():
            self._catalog.put_service(mate.id, service)

    def gone(self, identity: str, reason: str, now_s: float) -> None:
        """It is not here any more."""
        if self._catalog.node(identity) is None:
            return
        if reason == TIMED_OUT:
            self._silent_since_s.setdefault(identity, now_s)
            self._tell(identity, CRITICAL, "Not heard any more")
        else:
            self._forget(identity)

    def only(self, identities: Sequence[str]) -> None:
        """These are all there are: others that were told of have gone unnoticed."""
        for held in self._catalog.nodes():
            name = held.node.value.name
            if CHECK in held.checks and name not in identities:
                self._forget(name)

    def tick(self, now_s: float) -> None:
        """Forget who has been silent for long."""
        for identity, since_s in list(self._silent_since_s.items()):
            if now_s - since_s >= FORGET_S:
                self._forget(identity)

    def _forget(self, identity: str) -> None:
        self._silent_since_s.pop(identity, None)
        self._catalog.drop_node(identity)

    def _tell(self, identity: str, status: str, output: str) -> None:
        check = Check(CHECK, "Heard by beacons", status, output=output)
        self._catalog.put_check(identity, check)


def _services(mate: Housemate) -> list[Service]:
    meta = {"name": mate.name, "role": mate.role}
    offered = {mate.role: mate.port or next(iter(sorted(mate.services.values())), 0)}
    return [
        Service(f"{_PREFIX}{name}", f"{_PREFIX}{name}", port=port, meta=meta)
        for name, port in {**mate.services, **offered}.items()
    ]


def _best(addresses: Sequence[str]) -> str:
    """The one that most others can reach: not one that is of a link only."""
    bare = [text.partition("%")[0] for text in addresses]
    wide = [text for text in bare if not ipaddress.ip_address(text).is_link_local]
    return next(iter(wide or bare), "")
