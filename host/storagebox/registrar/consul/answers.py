"""The JSON of answers: the shapes that Consul 1.8 gives its values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

from .catalog import Held, Instance, Kept
from .definitions import Check, Node, Service, Weights

DATACENTER: Final = "dc1"
# What of Consul's answers stands for, so that clients know what to expect.
VERSION: Final = "1.8.7"
_SERVER_PORT: Final = 8300
_SERF_PORT: Final = 8301
_NO_MESH: Final[dict[str, Any]] = {"MeshGateway": {}, "Expose": {}}


def node(kept: Kept[Node]) -> dict[str, Any]:
    """A node, as catalog/nodes lists it."""
    value = kept.value
    return {
        "ID": value.id,
        "Node": value.name,
        "Address": value.address,
        "Datacenter": DATACENTER,
        "TaggedAddresses": value.tagged,
        "Meta": value.meta or None,
        **_indexes(kept),
    }


def service(kept: Kept[Service]) -> dict[str, Any]:
    """A service, as health and catalog/node tell it."""
    value = kept.value
    return {
        **_kind(value),
        "ID": value.id,
        "Service": value.name,
        "Tags": list(value.tags),
        "Address": value.address,
        **_tagged("TaggedAddresses", value),
        "Meta": value.meta or None,
        "Port": value.port,
        "Weights": weights(value.weights),
        "EnableTagOverride": value.enable_tag_override,
        "Proxy": {**(value.proxy or {}), **_NO_MESH},
        "Connect": {},
        **value.more,
        **_indexes(kept),
    }


def check(value: Check, node_name: str, kept: Kept[Check] | None = None) -> dict[str, Any]:
    """A check; those of the local agent have no indexes."""
    return {
        "Node": node_name,
        "CheckID": value.id,
        "Name": value.name,
        "Status": value.status,
        "Notes": value.notes,
        "Output": value.output,
        "ServiceID": value.service_id,
        "ServiceName": value.service_name,
        "ServiceTags": list(value.service_tags),
        "Type": value.type,
        "Definition": {},
        **(_indexes(kept) if kept else {"CreateIndex": 0, "ModifyIndex": 0}),
    }


def checks(held: Held, found: Iterable[Kept[Check]]) -> list[dict[str, Any]]:
    """Checks of one node."""
    name = held.node.value.name
    return [check(kept.value, name, kept) for kept in found]


def health(instance: Instance) -> dict[str, Any]:
    """An entry of health/service."""
    name = instance.node.value.name
    return {
        "Node": node(instance.node),
        "Service": service(instance.service),
        "Checks": [check(kept.value, name, kept) for kept in instance.checks],
    }


def catalog_service(instance: Instance) -> dict[str, Any]:
    """An entry of catalog/service."""
    value, place = instance.service.value, instance.node.value
    return {
        "ID": place.id,
        "Node": place.name,
        "Address": place.address,
        "Datacenter": DATACENTER,
        "TaggedAddresses": place.tagged,
        "NodeMeta": place.meta or None,
        "ServiceKind": value.kind,
        "ServiceID": value.id,
        "ServiceName": value.name,
        "ServiceTags": list(value.tags),
        "ServiceAddress": value.address,
        **_tagged("ServiceTaggedAddresses", value),
        "ServiceWeights": weights(value.weights),
        "ServiceMeta": dict(value.meta),
        "ServicePort": value.port,
        "ServiceEnableTagOverride": value.enable_tag_override,
        "ServiceProxy": {**(value.proxy or {}), **_NO_MESH},
        "ServiceConnect": {},
        **_indexes(instance.service),
    }


def agent_service(value: Service) -> dict[str, Any]:
    """A service, as the local agent tells it."""
    return {
        **_kind(value),
        "ID": value.id,
        "Service": value.name,
        "Tags": list(value.tags),
        "Meta": dict(value.meta),
        "Port": value.port,
        "Address": value.address,
        **_tagged("TaggedAddresses", value),
        "Weights": weights(value.weights),
        "EnableTagOverride": value.enable_tag_override,
        **({"Proxy": {**value.proxy, **_NO_MESH}} if value.proxy is not None else {}),
        **value.more,
    }


def hashed(value: Service) -> tuple[str, dict[str, Any]]:
    """Of agent/service/:id, the hash of its content and the answer."""
    told = agent_service(value)
    text = json.dumps(told, sort_keys=True)
    content = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return content, {**told, "ContentHash": content}


_NO_DEFINITION: Final[dict[str, Any]] = {
    "Interval": "0s",
    "Timeout": "0s",
    "DeregisterCriticalServiceAfter": "0s",
    "HTTP": "",
    "Header": None,
    "Method": "",
    "Body": "",
    "TLSSkipVerify": False,
    "TCP": "",
}


def local_health(
    status: str, value: Service, found: Iterable[Check], node_name: str
) -> dict[str, Any]:
    """An answer of agent/health/service, in which checks look otherwise than anywhere else."""
    bare = {"Type": "", "Definition": _NO_DEFINITION}
    checks = [
        {**check(each, node_name), **bare, "ServiceTags": list(each.service_tags) or None}
        for each in found
    ]
    return {"AggregatedStatus": status, "Service": agent_service(value), "Checks": checks}


def weights(value: Weights) -> dict[str, int]:
    """Weights."""
    return {"Passing": value.passing, "Warning": value.warning}


def consul_service() -> Service:
    """What the catalogue always lists."""
    meta = {
        "non_voter": "false",
        "raft_version": "3",
        "serf_protocol_current": "2",
        "serf_protocol_max": "5",
        "serf_protocol_min": "1",
        "version": VERSION,
    }
    return Service("consul", "consul", port=_SERVER_PORT, meta=meta)


def leader(here: Node) -> str:
    """Where a leader would be."""
    host = f"[{here.address}]" if ":" in here.address else here.address
    return f"{host}:{_SERVER_PORT}"


def member(here: Node, *, wan: bool = False) -> dict[str, Any]:
    """Ourselves, the only member."""
    tags = {
        "acls": "0",
        "build": f"{VERSION}:",
        "dc": DATACENTER,
        "ft_fs": "1",
        "id": here.id,
        "port": str(_SERVER_PORT),
        "raft_vsn": "3",
        "role": "consul",
        "segment": "",
        "vsn": "2",
        "vsn_max": "3",
        "vsn_min": "2",
        **({} if wan else {"wan_join_port": str(_SERF_PORT + 1)}),
    }
    return {
        "Name": f"{here.name}.{DATACENTER}" if wan else here.name,
        "Addr": here.address,
        "Port": _SERF_PORT + wan,
        "Tags": tags,
        "Status": 1,
        "ProtocolMin": 1,
        "ProtocolMax": 5,
        "ProtocolCur": 2,
        "DelegateMin": 2,
        "DelegateMax": 5,
        "DelegateCur": 4,
    }


def agent_self(here: Node) -> dict[str, Any]:
    """agent/self, as far as there is anything to tell."""
    return {
        "Config": {
            "Datacenter": DATACENTER,
            "NodeName": here.name,
            "NodeID": here.id,
            "Revision": "",
            "Server": True,
            "Version": VERSION,
        },
        "DebugConfig": {},
        "Coord": None,
        "Member": member(here),
        "Stats": {"consul": {"leader": "true", "leader_addr": leader(here), "server": "true"}},
        "Meta": dict(here.meta),
        "xDS": None,
    }


def _indexes(kept: Kept[Any]) -> dict[str, int]:
    return {"CreateIndex": kept.created, "ModifyIndex": kept.modified}


def _kind(value: Service) -> dict[str, str]:
    return {"Kind": value.kind} if value.kind else {}


def _tagged(key: str, value: Service) -> dict[str, Any]:
    if not value.tagged:
        return {}
    return {key: {name: {"Address": a, "Port": p} for name, (a, p) in value.tagged.items()}}
