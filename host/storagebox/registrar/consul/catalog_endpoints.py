"""Endpoints that read the catalogue, and block until it changes; and the two that write it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from . import answers, filtering, registration, requests
from .blocking import until
from .catalog import (
    CHECKS,
    GONE,
    NODES,
    SERVICES,
    Catalog,
    Instance,
    missing_service,
    of_node,
    of_service,
)
from .definitions import PASSING
from .http import Answer, Call, Endpoint, Routes
from .query import read_of
from .refused import Refused, RefusedRead

Entries = list[dict[str, Any]]


def routes() -> Routes:
    """Those of /v1/health, /v1/catalog and /v1/status."""
    return {
        ("GET", "/v1/health/service/"): _health_service,
        ("GET", "/v1/health/checks/"): _health_checks,
        ("GET", "/v1/health/node/"): _health_node,
        ("GET", "/v1/health/state/"): _health_state,
        ("GET", "/v1/health/connect/"): _nothing("health"),
        ("GET", "/v1/health/ingress/"): _nothing("health"),
        ("GET", "/v1/catalog/connect/"): _nothing("catalog"),
        ("GET", "/v1/catalog/services"): _services,
        ("GET", "/v1/catalog/service/"): _service,
        ("GET", "/v1/catalog/nodes"): _nodes,
        ("GET", "/v1/catalog/node/"): _node,
        ("GET", "/v1/catalog/datacenters"): _told([answers.DATACENTER]),
        ("PUT", "/v1/catalog/register"): _register,
        ("PUT", "/v1/catalog/deregister"): _deregister,
        ("GET", "/v1/status/leader"): lambda call: Answer(answers.leader(call.agent.node)),
        ("GET", "/v1/status/peers"): lambda call: Answer([answers.leader(call.agent.node)]),
    }


def _told(value: Any) -> Endpoint:
    return lambda _: Answer(value)


# Reading

_MISSING: Final = {
    "service": "Missing service name",
    "node": "Missing node name",
    "state": "Missing check state",
}


async def _read(
    call: Call,
    index_of: Callable[[], int],
    topics: Iterable[str],
    value: Callable[[], Any],
    kind: str = "",
) -> Answer:
    """Answer with `value()` once the index is beyond what the client knows. Filters entries."""
    read = read_of(call.query)
    keep = _filter(call.query.text("filter"), kind) if kind else None
    if read.index and index_of() <= read.index:
        with call.waiting.place(call.address):
            await until(
                lambda: index_of() > read.index,
                call.agent.catalog.wakes,
                topics,
                call.waiting,
                read.wait_s,
                call.gone,
            )
    index = index_of()
    entries = value()
    if keep is not None:
        entries = list(filter_entries(keep, entries))
    return Answer(entries, headers=read.headers(index))


def _filter(expression: str, kind: str) -> filtering.Matches | None:
    if not expression:
        return None
    try:
        return filtering.compile_filter(expression, filtering.FIELDS[kind])
    except filtering.FilterError as fault:
        text = f"Failed to create boolean expression evaluator: {fault}"
        raise RefusedRead(500, text) from None


def filter_entries(keep: filtering.Matches, entries: Iterable[Any]) -> Iterable[Any]:
    """Those entries that match."""
    return (entry for entry in entries if keep(entry))


def _name(call: Call, what: str) -> str:
    if not call.rest:
        raise Refused(400, _MISSING[what])
    return call.rest


def _chosen(call: Call, service: str) -> list[Instance]:
    """The instances of a service that the query's tags and node-meta let through."""
    if call.query.text("peer"):  # no other cluster is peered with this one
        return []
    tags = {tag.lower() for tag in call.query.texts("tag") if tag}
    meta = call.query.node_meta()
    return [
        instance
        for instance in call.agent.catalog.instances(service)
        if tags <= {tag.lower() for tag in instance.service.value.tags}
        and _has(instance.node.value.meta, meta)
    ]


def _has(meta: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= meta.items()


def _service_topics(name: str) -> tuple[str, str]:
    return of_service(name), GONE


async def _health_service(call: Call) -> Answer:
    name, catalog = _name(call, "service"), call.agent.catalog
    passing = call.query.flag("passing")

    def value() -> Entries:
        return [
            answers.health(instance)
            for instance in _chosen(call, name)
            if not passing or instance.status == PASSING
        ]

    index = _index_of_service(catalog, name)
    return await _read(call, index, _service_topics(name), value, "health")


def _index_of_service(catalog: Catalog, name: str) -> Callable[[], int]:
    return lambda: catalog.index_of_service(name)


async def _health_checks(call: Call) -> Answer:
    name, catalog = _name(call, "service"), call.agent.catalog

    def value() -> Entries:
        return [
            answers.check(kept.value, instance.node.value.name, kept)
            for instance in _chosen(call, name)
            for kept in instance.checks
            if kept.value.service_id
        ]

    index = _index_of_service(catalog, name)
    return await _read(call, index, _service_topics(name), value, "check")


async def _health_node(call: Call) -> Answer:
    name, catalog = _name(call, "node"), call.agent.catalog
    topics = of_node(name), NODES

    def value() -> Entries:
        held = catalog.node(name)
        found = sorted(held.checks.items()) if held else []
        return answers.checks(held, [kept for _, kept in found]) if held else []

    return await _read(call, lambda: catalog.index_of(*topics), topics, value, "check")


async def _health_state(call: Call) -> Answer:
    state, catalog = _name(call, "state"), call.agent.catalog
    meta = call.query.node_meta()

    def value() -> Entries:
        return [
            entry
            for held in catalog.nodes()
            if _has(held.node.value.meta, meta)
            for entry in answers.checks(held, [kept for _, kept in sorted(held.checks.items())])
            if state in ("any", entry["Status"])
        ]

    return await _read(call, lambda: catalog.index_of(CHECKS), (CHECKS,), value, "check")


def _nothing(kind: str) -> Endpoint:
    """There is no mesh."""

    async def nothing(call: Call) -> Answer:
        name, catalog = _name(call, "service"), call.agent.catalog
        index = _index_of_service(catalog, name)
        return await _read(call, index, _service_topics(name), list, kind)

    return nothing


async def _services(call: Call) -> Answer:
    catalog, meta = call.agent.catalog, call.query.node_meta()
    keep = _filter(call.query.text("filter"), "catalog")

    def value() -> dict[str, list[str]]:
        if keep is None and not meta:
            return catalog.tags()
        found: dict[str, dict[str, None]] = {}
        for name in catalog.tags():
            for instance in catalog.instances(name):
                told = instance.service.value
                wanted = keep is None or keep(answers.catalog_service(instance))
                if told.name == name and wanted and _has(instance.node.value.meta, meta):
                    found.setdefault(name, {}).update(dict.fromkeys(told.tags))
        return {name: list(tags) for name, tags in found.items()}

    return await _read(call, lambda: catalog.index_of(SERVICES), (SERVICES,), value)


async def _service(call: Call) -> Answer:
    name, catalog = _name(call, "service"), call.agent.catalog

    def value() -> Entries:
        return [answers.catalog_service(instance) for instance in _chosen(call, name)]

    index = _index_of_service(catalog, name)
    return await _read(call, index, _service_topics(name), value, "catalog")


async def _nodes(call: Call) -> Answer:
    catalog, meta = call.agent.catalog, call.query.node_meta()

    def value() -> Entries:
        nodes = (held.node for held in catalog.nodes())
        return [answers.node(node) for node in nodes if _has(node.value.meta, meta)]

    return await _read(call, lambda: catalog.index_of(NODES), (NODES,), value, "node")


async def _node(call: Call) -> Answer:
    name, catalog = _name(call, "node"), call.agent.catalog
    topics = of_node(name), NODES
    keep = _filter(call.query.text("filter"), "service")

    def value() -> Any:
        held = catalog.node(name)
        if held is None:
            return None
        services = {key: answers.service(kept) for key, kept in sorted(held.services.items())}
        found = {key: each for key, each in services.items() if keep is None or keep(each)}
        return {"Node": answers.node(held.node), "Services": found}

    return await _read(call, lambda: catalog.index_of(*topics), topics, value)


# Writing


def _register(call: Call) -> Answer:
    fields = requests.decode(call.body, requests.CATALOG_REGISTER)
    _own_datacenter(fields)
    catalog = call.agent.catalog
    held = catalog.node(fields.get("Node", ""))
    node = registration.node(fields, held.node.value if held else None)
    service = registration.catalog_service(fields["Service"]) if "Service" in fields else None
    checks = [registration.catalog_check(each) for each in _checks(fields)]
    on_node = {*(held.services if held else ()), *((service.id,) if service else ())}
    for check in checks:  # before anything is written
        if check.service_id and check.service_id not in on_node:
            raise missing_service(node.name)
    if held is None or not fields.get("SkipNodeUpdate"):
        catalog.put_node(node)
    if service is not None:
        catalog.put_service(node.name, service)
    for check in checks:
        catalog.put_check(node.name, check)
    return Answer(True)


def _checks(fields: Mapping[str, Any]) -> Entries:
    return [*([fields["Check"]] if "Check" in fields else []), *fields.get("Checks", [])]


def _deregister(call: Call) -> Answer:
    fields = requests.decode(call.body, requests.CATALOG_DEREGISTER)
    node: str = fields.get("Node", "")
    if not node:
        raise Refused(500, "Must provide node")
    _own_datacenter(fields)
    catalog = call.agent.catalog
    if fields.get("ServiceID"):
        catalog.drop_service(node, fields["ServiceID"])
    elif fields.get("CheckID"):
        catalog.drop_check(node, fields["CheckID"])
    elif node.lower() != call.agent.node.name.lower():
        catalog.drop_node(node)
    return Answer(True)


def _own_datacenter(fields: Mapping[str, Any]) -> None:
    if fields.get("Datacenter", answers.DATACENTER) not in ("", answers.DATACENTER):
        raise Refused(500, "No path to datacenter")
