"""What a Consul client of the family of python-consul does in a life, and what it must be told.

`python consul_conversation.py FOLDER PORT` has it with the `consul` package of a folder, because
two of the family are called the same; `converse(module, client)` with one that is imported.
"""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 30.0


def converse(consul: Any, client: Any) -> None:
    """Register, check, maintain, watch, deregister: by the methods that all of them have."""
    assert client.status.leader()
    assert client.catalog.datacenters() == ["dc1"]
    assert client.agent.self()["Config"]["NodeName"] == "own"
    _register_and_check(consul, client)
    _maintain(client)
    _watch(client)
    _catalogue(consul, client)
    for service_id in ("web:1", "web:2"):
        assert client.agent.service.deregister(service_id)
    assert client.health.service("web")[1] == []
    assert client.agent.services() == {}
    assert client.agent.checks() == {}


def _refusal(consul: Any, call: Callable[[], Any]) -> str:
    try:
        return f"no refusal, but {call()}"
    except consul.ConsulException as refused:
        return str(refused)


def _ids(client: Any, **options: Any) -> list[str]:
    return [entry["Service"]["ID"] for entry in client.health.service("web", **options)[1]]


def _register_and_check(consul: Any, client: Any) -> None:
    check, register = consul.Check, client.agent.service.register
    assert register("web", "web:1", "10.0.0.1", 80, tags=["a", "b"], check=check.ttl("1h"))
    assert register("web", "web:2", port=81, check=check.ttl("300ms"))
    assert _ids(client) == ["web:1", "web:2"]
    assert _ids(client, passing=True) == []
    assert client.agent.check.ttl_pass("service:web:1", "well")
    assert client.agent.check.ttl_warn("service:web:2")
    assert _ids(client, passing=True) == ["web:1"]
    assert _ids(client, tag="b") == ["web:1"]
    end = time.monotonic() + PATIENCE_S
    while client.agent.checks()["service:web:2"]["Status"] != "critical":
        assert time.monotonic() < end, "the TTL never runs out"
        time.sleep(0.05)
    assert client.agent.checks()["service:web:1"]["Output"] == "well"
    assert client.agent.check.register("of web", check=check.ttl("1h"), service_id="web:1")
    states = {entry["CheckID"] for entry in client.health.state("critical")[1]}
    assert states == {"of web", "service:web:2"}
    checks = {entry["CheckID"] for entry in client.health.checks("web")[1]}
    assert checks == {"service:web:1", "service:web:2", "of web"}
    assert client.agent.check.deregister("of web")
    said = _refusal(consul, lambda: client.agent.check.ttl_pass("nobody"))
    assert "does not have associated TTL" in said


def _maintain(client: Any) -> None:
    assert client.agent.service.maintenance("web:1", True, "moving house")
    assert _ids(client, passing=True) == []
    (node,) = [each for each in client.health.service("web")[1] if each["Service"]["Port"] == 80]
    notes = {check["CheckID"]: check["Notes"] for check in node["Checks"]}
    assert notes["_service_maintenance:web:1"] == "moving house"
    assert client.agent.service.maintenance("web:1", False)
    assert client.agent.maintenance(True)
    assert _ids(client, passing=True) == []
    assert client.agent.maintenance(False)
    assert _ids(client, passing=True) == ["web:1"]


def _watch(client: Any) -> None:
    index, before = client.health.service("web", passing=True)
    assert int(index) > 0
    woken: list[Any] = []
    asking = threading.Thread(
        target=lambda: woken.append(
            client.health.service("web", passing=True, index=index, wait="1m")
        )
    )
    asking.start()
    time.sleep(0.2)  # so that it most likely waits; right in any case
    assert client.agent.check.ttl_pass("service:web:2")
    asking.join(PATIENCE_S)
    ((later, nodes),) = woken
    assert int(later) > int(index)
    assert len(nodes) == len(before) + 1
    same, _ = client.health.service("web", index=later, wait="20ms")
    assert int(same) >= int(index), "a wait that is over is answered as usual"


def _catalogue(consul: Any, client: Any) -> None:
    register = client.catalog.register
    assert register("ext", "10.1.1.1", service={"service": "db", "tags": ["x"], "port": 5432})
    services = {"consul": [], "db": ["x"], "web": ["a", "b"]}
    end = time.monotonic() + PATIENCE_S
    # Consul's own agent is in its own catalogue, and tells it of its services, a little later.
    while (told := client.catalog.services()[1]) != services:
        assert time.monotonic() < end, told
        time.sleep(0.05)
    assert [each["Node"] for each in client.catalog.nodes()[1]] == ["ext", "own"]
    (entry,) = client.catalog.service("db")[1]
    assert (entry["Address"], entry["ServicePort"]) == ("10.1.1.1", 5432)
    assert set(client.catalog.node("ext")[1]["Services"]) == {"db"}
    assert client.catalog.node("nobody")[1] is None
    said = _refusal(consul, lambda: client.catalog.nodes(dc="elsewhere"))
    assert "No path to datacenter" in said
    assert client.catalog.deregister("ext")
    assert [each["Node"] for each in client.catalog.nodes()[1]] == ["own"]


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    module = importlib.import_module("consul")
    assert str(module.__file__).startswith(sys.argv[1]), module.__file__
    converse(module, module.Consul(port=int(sys.argv[2])))
    print("all told as it should be")
