"""The catalogue: all nodes with their services and checks, as readers see them.

Every change takes the next index; the index of a query is the last that concerned it, so a reader
who knows it sees at once whether there is news. Changes that nobody looked between share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar

from .definitions import CRITICAL, PASSING, WARNING, Check, Node, Service
from .refused import Refused
from .wakes import Wakes

T = TypeVar("T")

# Topics of queries; see also `of_service` and `of_node`.
NODES: Final = "nodes"
SERVICES: Final = "services"
CHECKS: Final = "checks"
# A service has lost its last instance: so has, as far as readers can tell, any that never was.
GONE: Final = "gone"

MAX_NODES: Final = 1024
MAX_SERVICES: Final = 4096
MAX_CHECKS: Final = 8192


def of_service(name: str) -> str:
    """The topic of all instances of a service, with their checks."""
    return f"service:{name.lower()}"


def of_node(name: str) -> str:
    """The topic of all that is on a node."""
    return f"node:{name.lower()}"


def missing_service(node: str) -> Refused:
    """What a check of a service that isn't on its node is refused by."""
    text = f'failed inserting check: Missing service registration on node "{node}"'
    return Refused(500, text)


@dataclass
class Kept(Generic[T]):
    """A value with the indexes at which it came and changed last."""

    value: T
    created: int
    modified: int


@dataclass
class Held:
    """A node and what is on it, by id."""

    node: Kept[Node]
    services: dict[str, Kept[Service]] = field(default_factory=dict[str, Kept[Service]])
    checks: dict[str, Kept[Check]] = field(default_factory=dict[str, Kept[Check]])

    def checks_of(self, service_id: str) -> list[Kept[Check]]:
        """The checks of the node ("") or of a service on it, by id."""
        found = [kept for kept in self.checks.values() if kept.value.service_id == service_id]
        return sorted(found, key=lambda kept: kept.value.id)


@dataclass(frozen=True)
class Instance:
    """A service on a node, with the checks that concern it: the node's first."""

    node: Kept[Node]
    service: Kept[Service]
    checks: tuple[Kept[Check], ...]

    @property
    def status(self) -> str:
        """The worst of its checks; passing without any, critical with one that is unknown."""
        return worst(kept.value.status for kept in self.checks)

    @property
    def address(self) -> str:
        """Where it is reached."""
        return self.service.value.address or self.node.value.address

    @property
    def weight(self) -> int:
        """Its share of requests in its present state, 0 if it should get none."""
        weights = self.service.value.weights
        return {PASSING: weights.passing, WARNING: weights.warning}.get(self.status, 0)


def worst(statuses: Iterable[str]) -> str:
    """Of statuses the one that counts; an unknown one is critical."""
    found = set(statuses)
    if found - {PASSING, WARNING}:
        return CRITICAL
    return WARNING if WARNING in found else PASSING


class Catalog:
    """State alone: no sockets, no clock. `wakes` tells of changes by topic."""

    def __init__(self, wakes: Wakes | None = None, first_index: int = 1) -> None:
        self.wakes = wakes or Wakes()
        self._first = self._index = first_index
        self._seen = True
        self._indexes: dict[str, int] = {}
        self._held: dict[str, Held] = {}  # by the node's name in lower case
        self._places: dict[str, set[tuple[str, str]]] = {}  # node and service id, by service
        self._services = 0
        self._checks = 0

    # Reading

    @property
    def latest(self) -> int:
        """The last index of all."""
        self._seen = True
        return self._index

    def index_of(self, *topics: str) -> int:
        """The last index that concerned any of these topics."""
        self._seen = True
        return max([self._first, *(self._indexes.get(topic, 0) for topic in topics)])

    def index_of_service(self, name: str) -> int:
        """That of a service: of its instances, or of the last service that vanished."""
        return self.index_of(of_service(name) if name.lower() in self._places else GONE)

    def nodes(self) -> list[Held]:
        """All nodes by name."""
        return sorted(self._held.values(), key=lambda held: held.node.value.name)

    def node(self, name: str) -> Held | None:
        """The node of that name, in any case of letters."""
        return self._held.get(name.lower())

    def instances(self, service: str) -> list[Instance]:
        """Those of a service (its name in any case of letters), by node, then id."""
        return list(self._instances(service.lower()))

    def _instances(self, service: str) -> Iterator[Instance]:
        for node, identity in sorted(self._places.get(service, ())):
            held = self._held[node]
            checks = [*held.checks_of(""), *held.checks_of(identity)]
            yield Instance(held.node, held.services[identity], tuple(checks))

    def tags(self) -> dict[str, list[str]]:
        """The tags of every service, by its name."""
        found: dict[str, dict[str, None]] = {}
        for held in self._held.values():
            for kept in held.services.values():
                found.setdefault(kept.value.name, {}).update(dict.fromkeys(kept.value.tags))
        return {name: list(tags) for name, tags in sorted(found.items())}

    # Writing

    def put_node(self, node: Node) -> None:
        """Add it or change what is known of it. Raises Refused beyond MAX_NODES."""
        key = node.name.lower()
        held = self._held.get(key)
        if held is None:
            if len(self._held) >= MAX_NODES:
                raise Refused(429, f"There are {MAX_NODES} nodes: deregister some first")
            index = self._next()
            self._held[key] = Held(Kept(node, index, index))
        elif held.node.value == node:
            return
        else:
            held.node.value, held.node.modified = node, self._next()
        self._touch(NODES, of_node(key), *self._topics_on(self._held[key]))

    def put_service(self, node: str, service: Service) -> None:
        """Add or replace it on a node that is known. Raises Refused beyond MAX_SERVICES."""
        held = self._held[node.lower()]
        kept = held.services.get(service.id)
        topics = [of_node(node), of_service(service.name)]
        if kept is None:
            if self._services >= MAX_SERVICES:
                raise Refused(429, f"There are {MAX_SERVICES} services: deregister some first")
            self._services += 1
            index = self._next()
            held.services[service.id] = Kept(service, index, index)
            topics.append(SERVICES)
        elif kept.value == service:
            return
        else:
            before, kept.value, kept.modified = kept.value, service, self._next()
            if before.name != service.name:
                topics += self._displace(node, before)
            if (before.name, before.tags) != (service.name, service.tags):
                topics.append(SERVICES)
        self._places.setdefault(service.name.lower(), set()).add((node.lower(), service.id))
        self._touch(*topics)

    def put_check(self, node: str, check: Check) -> None:
        """Add or replace it. Raises Refused if its service isn't there, or beyond MAX_CHECKS."""
        held = self._held[node.lower()]
        if check.service_id:
            service = held.services.get(check.service_id)
            if service is None:
                raise missing_service(held.node.value.name)
            check = replace(
                check, service_name=service.value.name, service_tags=service.value.tags
            )
        kept = held.checks.get(check.id)
        if kept is None:
            if self._checks >= MAX_CHECKS:
                raise Refused(429, f"There are {MAX_CHECKS} checks: deregister some first")
            self._checks += 1
            index = self._next()
            held.checks[check.id] = Kept(check, index, index)
        elif kept.value == check:
            return
        else:
            kept.value, kept.modified = check, self._next()
        self._touch(CHECKS, of_node(node), *self._topics_of(held, check))

    def drop_check(self, node: str, check_id: str) -> bool:
        """Remove it; whether it was there."""
        held = self._held.get(node.lower())
        if held is None or check_id not in held.checks:
            return False
        check = held.checks.pop(check_id).value
        self._checks -= 1
        self._next()
        self._touch(CHECKS, of_node(node), *self._topics_of(held, check))
        return True

    def drop_service(self, node: str, service_id: str) -> bool:
        """Remove it and its checks; whether it was there."""
        held = self._held.get(node.lower())
        if held is None or service_id not in held.services:
            return False
        self._next()
        topics = [SERVICES, of_node(node)]
        for kept in held.checks_of(service_id):
            del held.checks[kept.value.id]
            self._checks -= 1
            topics.append(CHECKS)
        service = held.services.pop(service_id).value
        self._services -= 1
        self._touch(*topics, *self._displace(node, service))
        return True

    def drop_node(self, node: str) -> bool:
        """Remove it and all that is on it; whether it was there."""
        held = self._held.get(node.lower())
        if held is None:
            return False
        for service_id in list(held.services):
            self.drop_service(node, service_id)
        self._checks -= len(held.checks)
        del self._held[node.lower()]
        self._next()
        self._touch(NODES, CHECKS, of_node(node))
        self._indexes.pop(of_node(node), None)  # from now on NODES tells
        return True

    # Indexes

    def _next(self) -> int:
        if self._seen:
            self._index += 1
            self._seen = False
        return self._index

    def _touch(self, *topics: str) -> None:
        self._indexes.update(dict.fromkeys(topics, self._index))
        self.wakes(topics)

    def _displace(self, node: str, service: Service) -> tuple[str, ...]:
        """A service is no longer there: the topics that this concerns."""
        key = service.name.lower()
        self._places[key].discard((node.lower(), service.id))
        if self._places[key]:
            return (of_service(key),)
        del self._places[key]
        # Nobody needs its index any more, and names may be without end.
        self._indexes.pop(of_service(key), None)
        self.wakes((of_service(key),))
        return (GONE,)

    def _topics_of(self, held: Held, check: Check) -> list[str]:
        if not check.service_id:
            return self._topics_on(held)
        service = held.services.get(check.service_id)
        return [of_service(service.value.name)] if service else []

    @staticmethod
    def _topics_on(held: Held) -> list[str]:
        return [of_service(kept.value.name) for kept in held.services.values()]
