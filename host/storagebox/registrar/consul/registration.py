"""The rules for what may be registered: bodies' fields into definitions, or Refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from .definitions import STATUSES, Check, CheckDefinition, Node, Probe, Service, Weights
from .refused import Refused

Fields = Mapping[str, Any]

# Consul's own bounds.
_MAX_WEIGHT: Final = 65535
_META_PAIRS: Final = 64
_META_KEY_CHARS: Final = 128
_META_VALUE_CHARS: Final = 512
_META_KEY: Final = re.compile(r"[a-zA-Z0-9_-]+")
_MIN_INTERVAL_S: Final = 1.0
_MIN_REAP_S: Final = 60.0
OUTPUT_MAX_BYTES: Final = 4096
_ANYWHERE: Final = ("0.0.0.0", "::", "[::]")
# Ours: a service has a handful.
_MAX_CHECKS_AT_ONCE: Final = 64
_DEFAULT_TIMEOUT_S: Final = 10.0
_MAX_TIMEOUT_S: Final = 600.0


def service(fields: Fields) -> Service:
    """That of a body of agent/service/register. Raises Refused."""
    name: str = fields.get("Name", "")
    if not name:
        raise Refused(400, "Missing service name")
    address: str = fields.get("Address", "")
    if address in _ANYWHERE:
        raise Refused(400, "Invalid service address")
    _check_meta(fields.get("Meta", {}))
    weights = _weights(fields.get("Weights"))
    return _service(fields, name, weights, local=True)


def sidecar(of: Service, fields: Fields, taken: Mapping[str, Service]) -> Service | None:
    """The service that `Connect.SidecarService` asks for beside its own, if it does.

    Its port is the first from 21000 on that no service has.
    """
    given: Fields = fields.get("Connect", {})
    connect = {key.lower().replace("_", ""): value for key, value in given.items()}
    asked = connect.get("sidecarservice")
    if not isinstance(asked, dict):
        return None
    identity = f"{of.id}-sidecar-proxy"
    ports = {each.port for each in taken.values() if each.id != identity}
    port = next(port for port in range(21000, 65536) if port not in ports)
    proxy: dict[str, Any] = {
        "DestinationServiceName": of.name,
        "DestinationServiceID": of.id,
        "LocalServiceAddress": "127.0.0.1",
    }
    if of.port:
        proxy["LocalServicePort"] = of.port
    return Service(
        f"{of.name}-sidecar-proxy",
        identity,
        of.tags,
        of.address,
        port,
        of.meta,
        kind="connect-proxy",
        proxy=proxy,
    )


def checks(fields: Fields) -> list[CheckDefinition]:
    """Those of a body of agent/service/register. Raises Refused."""
    single = fields.get("Check")
    given = [*([single] if single and any(single.values()) else []), *fields.get("Checks", [])]
    if len(given) > _MAX_CHECKS_AT_ONCE:
        raise Refused(400, f"Invalid check: a service has {_MAX_CHECKS_AT_ONCE} at most")
    found = [_definition(each) for each in given]
    for each in found:
        if each.status and each.status not in STATUSES:
            raise Refused(400, "Status for checks must 'passing', 'warning', 'critical'")
    return found


def check(fields: Fields) -> CheckDefinition:
    """That of a body of agent/check/register. Raises Refused."""
    name: str = fields.get("Name", "")
    if not name:
        raise Refused(400, "Missing check name")
    if fields.get("Status") and fields["Status"] not in STATUSES:
        raise Refused(400, "Bad check status")
    return _definition({**fields, "CheckID": fields.get("ID") or fields.get("CheckID") or name})


def _definition(fields: Fields) -> CheckDefinition:
    interval_s: float = fields.get("Interval", 0.0)
    ttl_s: float = fields.get("TTL", 0.0)
    script = fields.get("Args") or fields.get("ScriptArgs") or fields.get("DockerContainerID")
    target = fields.get("HTTP") or fields.get("TCP")
    foreign = fields.get("GRPC") or fields.get("AliasService") or fields.get("AliasNode")
    if (script or target or fields.get("GRPC")) and interval_s <= 0:
        text = "Interval must be > 0 for Script, HTTP, or TCP checks"
        raise Refused(400, f"Invalid check: {text}")
    if not (script or target or foreign) and ttl_s <= 0:
        raise Refused(400, "Invalid check: TTL must be > 0 for TTL checks")
    if interval_s > 0 and ttl_s > 0:
        raise Refused(400, "Invalid check: Interval and TTL cannot both be specified")
    output_max: int = fields.get("OutputMaxSize", 0)
    if output_max < 0:
        raise Refused(400, "Invalid check: MaxOutputMaxSize must be positive")
    if script:
        raise Refused(
            500,
            "Scripts are disabled on this agent from remote calls; "
            "to enable, configure 'enable_script_checks' to true",
        )
    if foreign:
        raise Refused(400, "Invalid check: only TTL, HTTP and TCP checks are served here")
    reap_after_s: float = fields.get("DeregisterCriticalServiceAfter", 0.0)
    return CheckDefinition(
        fields.get("CheckID", ""),
        fields.get("Name", ""),
        fields.get("Status", ""),
        fields.get("Notes", ""),
        fields.get("ServiceID", ""),
        0.0 if target else ttl_s,
        _probe(fields, interval_s, output_max) if target else None,
        max(reap_after_s, _MIN_REAP_S) if reap_after_s > 0 else 0.0,
        min(output_max or OUTPUT_MAX_BYTES, OUTPUT_MAX_BYTES),
    )


def _probe(fields: Fields, interval_s: float, output_max: int) -> Probe:
    timeout_s: float = fields.get("Timeout", 0.0)
    return Probe(
        max(interval_s, _MIN_INTERVAL_S),
        min(timeout_s, _MAX_TIMEOUT_S) if timeout_s > 0 else _DEFAULT_TIMEOUT_S,
        fields.get("HTTP", ""),
        "" if fields.get("HTTP") else fields.get("TCP", ""),
        fields.get("Method") or "GET",
        {key: tuple(values) for key, values in fields.get("Header", {}).items()},
        fields.get("Body", ""),
        fields.get("TLSSkipVerify", False),
        min(output_max or OUTPUT_MAX_BYTES, OUTPUT_MAX_BYTES),
        max(fields.get("SuccessBeforePassing", 0), 0),
        max(fields.get("FailuresBeforeCritical", 0), 0),
    )


# The catalogue's own endpoints


def node(fields: Fields, known: Node | None) -> Node:
    """That of a body of catalog/register. Raises Refused."""
    name: str = fields.get("Node", "")
    if not name:
        raise Refused(500, "Must provide node")
    if fields.get("SkipNodeUpdate"):
        if known is not None:
            return known
    elif not fields.get("Address"):
        raise Refused(500, "Must provide address if SkipNodeUpdate is not set")
    return Node(
        name,
        fields.get("Address", ""),
        fields.get("ID", ""),
        fields.get("TaggedAddresses"),
        fields.get("NodeMeta", {}),
    )


def catalog_service(fields: Fields) -> Service:
    """The `Service` of a body of catalog/register. Raises Refused."""
    name: str = fields.get("Service", "")
    if not name:
        raise Refused(
            500, "failed inserting service: failed inserting service: object missing primary index"
        )
    given: Fields = fields.get("Weights", {})
    weights = Weights(given.get("Passing", 0), given.get("Warning", 0))
    if weights == Weights(0, 0):
        weights = Weights()
    if not 0 <= weights.passing <= _MAX_WEIGHT or not 0 <= weights.warning <= _MAX_WEIGHT:
        raise Refused(500, "Invalid Weights: DNS Weight must be between 0 and 65535")
    return _service(fields, name, weights)


def catalog_check(fields: Fields) -> Check:
    """A check of a body of catalog/register, as it is; without a status it is critical."""
    return Check(
        fields.get("CheckID") or fields.get("Name", ""),
        fields.get("Name", ""),
        fields.get("Status") or "critical",
        fields.get("Notes", ""),
        fields.get("Output", "")[-OUTPUT_MAX_BYTES:],
        fields.get("ServiceID", ""),
        type=fields.get("Type", ""),
    )


# What they share


def _service(fields: Fields, name: str, weights: Weights, *, local: bool = False) -> Service:
    address: str = fields.get("Address", "")
    port: int = fields.get("Port", 0)
    tagged = {
        key: (each.get("Address", ""), each.get("Port", 0))
        for key, each in fields.get("TaggedAddresses", {}).items()
    }
    if local and address:
        version = "ipv6" if ":" in address else "ipv4"
        for network in ("lan", "wan"):
            tagged.setdefault(f"{network}_{version}", (address, port))
    return Service(
        name,
        fields.get("ID") or name,
        tuple(fields.get("Tags", ())),
        address,
        port,
        fields.get("Meta", {}),
        weights,
        dict(sorted(tagged.items())),
        fields.get("EnableTagOverride", False),
        fields.get("Kind", ""),
        fields.get("Proxy"),
        {key: fields[key] for key in ("Locality", "SocketPath") if fields.get(key)},
    )


def _weights(given: Fields | None) -> Weights:
    if given is None:
        return Weights()
    weights = Weights(given.get("Passing", 0), given.get("Warning", 0))
    if weights.passing < 1:
        raise Refused(400, "Invalid Weights: Passing must be greater than 0")
    if weights.warning < 0:
        raise Refused(400, "Invalid Weights: Warning must be greater or equal than 0")
    if max(weights.passing, weights.warning) > _MAX_WEIGHT:
        raise Refused(400, "Invalid Weights: DNS Weight must be between 0 and 65535")
    return weights


def _check_meta(meta: Mapping[str, str]) -> None:
    if len(meta) > _META_PAIRS:
        text = f"Node metadata cannot contain more than {_META_PAIRS} key/value pairs"
        raise Refused(400, f"Invalid Service Meta: {text}")
    for key, value in meta.items():
        fault = _meta_fault(key, value)
        if fault:
            pair = f"metadata pair ('{key}', '{value}')"
            raise Refused(400, f"Invalid Service Meta: Couldn't load {pair}: {fault}")


def _meta_fault(key: str, value: str) -> str:
    if not key:
        return "Key cannot be blank"
    if not _META_KEY.fullmatch(key):
        return "Key contains invalid characters"
    if len(key) > _META_KEY_CHARS:
        return f"Key is too long (limit: {_META_KEY_CHARS} characters)"
    if key.startswith("consul-"):
        return "Key prefix 'consul-' is reserved for internal use"
    if len(value) > _META_VALUE_CHARS:
        return f"Value is too long (limit: {_META_VALUE_CHARS} characters)"
    return ""
