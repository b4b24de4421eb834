"""What an answer of Consul's `health/service` says of each instance.

Nothing in it is believed: servers of other versions leave fields out or add some, and whoever
registers a service may register nonsense.
"""

from collections.abc import Mapping
from typing import Any, cast

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.resolver.faults import Read

PASSING, WARNING, CRITICAL = "passing", "warning", "critical"
_ORDER = (PASSING, WARNING, CRITICAL)


def read(entries: object, zone_meta: str) -> Read:
    """The endpoints of an answer, and what was wrong with the others.

    Raises:
        ValueError: it is no list at all.
    """
    if not isinstance(entries, list):
        raise ValueError("its answer is no list of instances")
    endpoints: list[Endpoint] = []
    dropped: list[str] = []
    for entry in cast(list[object], entries):
        try:
            endpoints.append(_endpoint(_object(entry, "an instance"), zone_meta))
        except ValueError as fault:
            dropped.append(str(fault))
    return endpoints, dropped


def _endpoint(entry: Mapping[str, Any], zone_meta: str) -> Endpoint:
    service = _object(entry.get("Service"), "an instance's Service")
    node = _object(entry.get("Node"), "an instance's Node")
    name = f"{node.get('Node', '')}/{service.get('ID') or service.get('Service', '')}"
    port = service.get("Port")
    if isinstance(port, bool) or not isinstance(port, int):
        raise ValueError(f"{name}: its port is {port!r}")
    checks = entry.get("Checks") or []
    if not isinstance(checks, list):
        raise ValueError(f"{name}: its Checks are no list")
    statuses = [_object(check, f"{name}: a check") for check in cast(list[object], checks)]
    status = _worst(statuses)
    try:
        return Endpoint(
            host=str(service.get("Address") or node.get("Address") or ""),
            port=port,
            weight=0 if _maintained(statuses) else _weight(service, status, name),
            zone=_zone(service, node, zone_meta),
            ready=status != CRITICAL,
            id=name,
        )
    except (ValueError, OverflowError) as fault:
        raise ValueError(f"{name}: {fault}") from None


def _worst(checks: list[Mapping[str, Any]]) -> str:
    """The status of an instance: its worst check's, its node's included; no checks is passing."""
    ranks = [
        _ORDER.index(check["Status"]) if check.get("Status") in _ORDER else len(_ORDER) - 1
        for check in checks
    ]
    return _ORDER[max(ranks, default=0)]


def _maintained(checks: list[Mapping[str, Any]]) -> bool:
    ids = (str(check.get("CheckID", "")) for check in checks)
    return any(id_ == "_node_maintenance" or id_.startswith("_service_maintenance") for id_ in ids)


def _weight(service: Mapping[str, Any], status: str, name: str) -> float:
    """By status. A critical instance keeps the weight it has when passing, for a panic."""
    weights = service.get("Weights")
    if weights is None:  # Consul before 1.2.3
        return 1
    key = "Warning" if status == WARNING else "Passing"
    weight = _object(weights, f"{name}: its Weights").get(key, 0 if key == "Warning" else 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise ValueError(f"its weight {key} is {weight!r}")
    return weight


def _zone(service: Mapping[str, Any], node: Mapping[str, Any], key: str) -> str:
    for of in (service, node):
        meta = of.get("Meta")
        if isinstance(meta, dict) and key in meta:
            return str(cast(dict[str, object], meta)[key])
    return ""


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    return cast(dict[str, Any], value)
