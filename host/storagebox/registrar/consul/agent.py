"""The local agent: what clients register on our own node, by Consul's rules.

Its state is the truth about our node; the catalogue is told of it: at once, but for outputs that
change alone (checks.OUTPUT_LATE_S). Nothing is kept over a restart: clients register anew.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from .catalog import Catalog, worst
from .checks import Monitored
from .definitions import (
    CRITICAL,
    MAINTENANCE,
    NODE_MAINTENANCE,
    PASSING,
    SERF,
    SERVICE_MAINTENANCE,
    WARNING,
    Check,
    CheckDefinition,
    Node,
    Service,
)
from .refused import Refused

# Topics of `Catalog.wakes` beside the catalogue's own; see also `of_local`.
PROBES: Final = "probes"
# Something is due sooner than it was.
SCHEDULE: Final = "schedule"

MAX_SERVICES: Final = 1024
MAX_CHECKS: Final = 2048
_NO_REASON: Final = (
    "Maintenance mode is enabled for this {}, but no reason was provided. "
    "This is a default message."
)


def of_local(service_id: str) -> str:
    """The topic of one service's definition."""
    return f"local:{service_id}"


def own_node(name: str, address: str) -> Node:
    """Ours, with an id that is the same each time."""
    identity = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.node.consul"))
    version = "ipv6" if ":" in address else "ipv4"
    tagged = {
        key: address for network in ("lan", "wan") for key in (network, f"{network}_{version}")
    }
    return Node(name, address, identity, tagged, {"consul-network-segment": ""})


class Agent:
    """Services and checks of one node. Methods that are late in nothing take `now_s`."""

    def __init__(self, catalog: Catalog, node: Node) -> None:
        self.catalog = catalog
        self.node = node
        self.services: dict[str, Service] = {}
        self.checks: dict[str, Monitored] = {}
        catalog.put_node(node)
        alive = Check(SERF, "Serf Health Status", PASSING, output="Agent alive and reachable")
        catalog.put_check(node.name, alive)

    def move(self, address: str) -> None:
        """This node is reached elsewhere."""
        if address != self.node.address:
            self.node = own_node(self.node.name, address)
            self.catalog.put_node(self.node)

    # Services

    def register_service(
        self,
        service: Service,
        checks: Sequence[CheckDefinition],
        now_s: float,
        *,
        replaces_checks: bool = False,
    ) -> None:
        """Add a service or replace its definition; checks that stay keep status and output.

        Raises Refused beyond MAX_SERVICES or MAX_CHECKS.
        """
        named = _named(service, checks)
        new = sum(definition.id not in self.checks for definition in named)
        self._make_room(service.id not in self.services, new)
        self.catalog.put_service(self.node.name, service)
        self.services[service.id] = service
        for definition in named:
            self._put(definition, service, now_s)
        if replaces_checks:
            ids = {definition.id for definition in named}
            for check_id in self._checks_of(service.id):
                if check_id not in ids:
                    self.deregister_check(check_id)
        self.catalog.wakes((of_local(service.id), PROBES, SCHEDULE))

    def deregister_service(self, service_id: str) -> None:
        """Remove it and its checks, if it is there."""
        if self.services.pop(service_id, None) is None:
            return
        for check_id in self._checks_of(service_id):
            del self.checks[check_id]
        self.catalog.drop_service(self.node.name, service_id)
        self.catalog.wakes((of_local(service_id), PROBES))

    # Checks

    def register_check(self, definition: CheckDefinition, now_s: float) -> None:
        """Add or replace a check, of a service or of the node. Raises Refused."""
        service: Service | None = None
        if definition.service_id:
            service = self.services.get(definition.service_id)
            if service is None:
                raise Refused(500, f'ServiceID "{definition.service_id}" does not exist')
        self._make_room(False, definition.id not in self.checks)
        self._put(definition, service, now_s)
        self.catalog.wakes((PROBES, SCHEDULE))

    def deregister_check(self, check_id: str) -> None:
        """Remove it, if it is there."""
        if self.checks.pop(check_id, None) is not None:
            self.catalog.drop_check(self.node.name, check_id)
            self.catalog.wakes((PROBES,))

    def update_ttl(self, check_id: str, status: str, output: str, now_s: float) -> None:
        """A service tells how it is. Raises Refused if that check isn't by TTL."""
        monitored = self.checks.get(check_id)
        if monitored is None or not monitored.has_ttl:
            raise Refused(500, f'CheckID "{check_id}" does not have associated TTL')
        monitored.update(status, output, now_s)
        self._publish(monitored, now_s)
        self.catalog.wakes((SCHEDULE,))

    def note_result(
        self, check_id: str, of: Monitored, status: str, output: str, now_s: float
    ) -> None:
        """A probe of the check `of` has come back. One of a check that was replaced is nothing."""
        monitored = self.checks.get(check_id)
        if monitored is not of or of.thresholds is None:
            return
        reached = of.thresholds.result(status)
        if reached is not None:
            of.update(reached, output, now_s)
            self._publish(of, now_s)

    # Maintenance

    def maintain_service(self, service_id: str, enable: bool, reason: str, now_s: float) -> None:
        """Take a service out of use, or back into it. Raises Refused."""
        service = self.services.get(service_id)
        if service is None:
            raise Refused(404, f'No service registered with ID "{service_id}"')
        check = Check(
            SERVICE_MAINTENANCE + service_id,
            "Service Maintenance Mode",
            notes=reason or _NO_REASON.format("service"),
            service_id=service.id,
            service_name=service.name,
            service_tags=service.tags,
            type=MAINTENANCE,
        )
        self._maintain(check, enable, now_s)

    def maintain_node(self, enable: bool, reason: str, now_s: float) -> None:
        """Take all services of this node out of use, or back into it."""
        notes = reason or _NO_REASON.format("node")
        check = Check(NODE_MAINTENANCE, "Node Maintenance Mode", notes=notes, type=MAINTENANCE)
        self._maintain(check, enable, now_s)

    def _maintain(self, check: Check, enable: bool, now_s: float) -> None:
        if not enable:
            self.deregister_check(check.id)
        elif check.id not in self.checks:
            self.checks[check.id] = Monitored(check, None, now_s)
            self._publish(self.checks[check.id], now_s)

    # Health as this node sees it

    def checks_on(self, service_id: str) -> list[Check]:
        """What concerns a service: its own checks by id, then the node's."""
        found = [m.check for _, m in sorted(self.checks.items())]
        own = [check for check in found if check.service_id == service_id]
        return own + [check for check in found if not check.service_id]

    def aggregate(self, checks: Iterable[Check]) -> str:
        """One word for all: maintenance before critical before warning before passing."""
        found = list(checks)
        if any(check.is_maintenance for check in found):
            return MAINTENANCE
        return worst(check.status for check in found)

    # Time

    def tick(self, now_s: float) -> None:
        """Let TTLs run out, tell late outputs, remove services that were critical too long."""
        for monitored in list(self.checks.values()):
            monitored.tick(now_s)
            self._publish(monitored, now_s)
        due = [m for m in self.checks.values() if m.reap_at_s is not None and now_s >= m.reap_at_s]
        for monitored in due:
            self.deregister_service(monitored.check.service_id)

    @property
    def due_s(self) -> float | None:
        """When to tick next."""
        times = (monitored.due_s for monitored in self.checks.values())
        return min((each for each in times if each is not None), default=None)

    # What all of it is made of

    def _put(self, definition: CheckDefinition, service: Service | None, now_s: float) -> None:
        before = self.checks.get(definition.id)
        kept = before.check if before else None
        check = Check(
            definition.id,
            definition.name,
            kept.status if kept else definition.status or CRITICAL,
            definition.notes,
            kept.output if kept else "",
            service.id if service else "",
            service.name if service else "",
            service.tags if service else (),
            definition.type,
        )
        if definition.service_id != check.service_id:
            definition = replace(definition, service_id=check.service_id)
        if kept and kept.service_id != check.service_id:
            self.catalog.drop_check(self.node.name, definition.id)
        if before and before.definition == definition:
            before.renew(check, now_s)
        else:
            self.checks[definition.id] = Monitored(check, definition, now_s)
        self._publish(self.checks[definition.id], now_s)

    def _publish(self, monitored: Monitored, now_s: float) -> None:
        if monitored.is_due_for_readers(now_s):
            self.catalog.put_check(self.node.name, monitored.check)
            monitored.note_published()

    def _checks_of(self, service_id: str) -> list[str]:
        return [key for key, m in self.checks.items() if m.check.service_id == service_id]

    def _make_room(self, service: bool, checks: int) -> None:
        if service and len(self.services) >= MAX_SERVICES:
            raise Refused(429, f"There are {MAX_SERVICES} services: deregister some first")
        if checks and len(self.checks) + checks > MAX_CHECKS:
            raise Refused(429, f"There are {MAX_CHECKS} checks: deregister some first")


def _named(service: Service, checks: Sequence[CheckDefinition]) -> list[CheckDefinition]:
    """With ids and names: `service:ID` if it is the only one, else numbered from 1."""
    named: list[CheckDefinition] = []
    for number, definition in enumerate(checks, 1):
        suffix = f":{number}" if len(checks) > 1 else ""
        named.append(
            replace(
                definition,
                id=definition.id or f"service:{service.id}{suffix}",
                name=definition.name or f"Service '{service.name}' check",
                service_id=service.id,
            )
        )
    return named


# The statuses of PUT agent/check/{pass,warn,fail}.
VERBS: Final = {"pass": PASSING, "warn": WARNING, "fail": CRITICAL}
