"""What is registered: nodes, services, checks, as immutable values that compare by content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PASSING: Final = "passing"
WARNING: Final = "warning"
CRITICAL: Final = "critical"
MAINTENANCE: Final = "maintenance"
STATUSES: Final = (PASSING, WARNING, CRITICAL)

SERVICE_MAINTENANCE: Final = "_service_maintenance:"
NODE_MAINTENANCE: Final = "_node_maintenance"
SERF: Final = "serfHealth"


@dataclass(frozen=True)
class Weights:
    """Shares of requests, for an instance that passes and for one that warns; 0..65535."""

    passing: int = 1
    warning: int = 1


@dataclass(frozen=True)
class Node:
    """A machine. `tagged` are further addresses by kind, None if none were given."""

    name: str
    address: str
    id: str = ""
    tagged: Mapping[str, str] | None = None
    meta: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Service:
    """An instance of a service on a node. Without an `address` it is the node's."""

    name: str
    id: str
    tags: tuple[str, ...] = ()
    address: str = ""
    port: int = 0
    meta: Mapping[str, str] = field(default_factory=dict[str, str])
    weights: Weights = Weights()
    tagged: Mapping[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    enable_tag_override: bool = False
    kind: str = ""
    proxy: Mapping[str, Any] | None = None
    # Fields of newer clients, given back as they came.
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Check:
    """What is known of the health of a service, or of a node if it names no service."""

    id: str
    name: str
    status: str = CRITICAL
    notes: str = ""
    output: str = ""
    service_id: str = ""
    service_name: str = ""
    service_tags: tuple[str, ...] = ()
    type: str = ""

    @property
    def is_maintenance(self) -> bool:
        """Whether it stands for maintenance, of a service or of the node."""
        return self.id == NODE_MAINTENANCE or self.id.startswith(SERVICE_MAINTENANCE)


@dataclass(frozen=True)
class Probe:
    """How an HTTP or TCP check asks. Exactly one of `http` (a URL) and `tcp` (HOST:PORT) is set.

    So many successes (failures) in a row, counted from 1, make it pass (critical); 0 is as 1.
    """

    interval_s: float
    timeout_s: float = 10.0
    http: str = ""
    tcp: str = ""
    method: str = "GET"
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    body: str = ""
    skips_tls_verification: bool = False
    output_max_bytes: int = 4096
    successes: int = 0
    failures: int = 0


@dataclass(frozen=True)
class CheckDefinition:
    """A check as it was asked for: by TTL (`ttl_s` > 0), or by a probe.

    Without an `id` or a `name` it gets those of its service. After `reap_after_s` of critical
    (0: never) its service is deregistered.
    """

    id: str = ""
    name: str = ""
    status: str = ""
    notes: str = ""
    service_id: str = ""
    ttl_s: float = 0.0
    probe: Probe | None = None
    reap_after_s: float = 0.0
    output_max_bytes: int = 4096

    @property
    def type(self) -> str:
        """As answers call it."""
        if self.probe is None:
            return "ttl"
        return "http" if self.probe.http else "tcp"
