"""Clients of Consul from PyPI, unmodified, have all they need from `phantom consul serve`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import consul
import consul.aio
import pytest

from tests.interop.consul_agent import agent
from tests.interop.consul_conversation import converse
from tests.registry import PATIENCE_S, Registry, registry

TIMED = False
ROOT = Path(__file__).resolve().parents[2]
PYTHON_CONSUL2 = ROOT / "build" / "python-consul2"


@pytest.fixture(scope="module")
def served() -> Iterator[Registry]:
    with registry() as served:
        yield served


def test_py_consul_has_a_whole_conversation(served: Registry) -> None:
    converse(consul, consul.Consul(port=served.http))


def test_py_consul_has_the_same_with_consuls_own_agent(tmp_path: Path) -> None:
    with agent(tmp_path, "own") as ports:
        converse(consul, consul.Consul(port=ports["http"]))


def test_python_consul2_has_the_same(served: Registry) -> None:
    assert PYTHON_CONSUL2.is_dir(), "not set up: run `make setup-dev`"
    script = ROOT / "tests" / "interop" / "consul_conversation.py"
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(PYTHON_CONSUL2), str(served.http)],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE_S,
    )
    assert (done.returncode, done.stdout) == (0, "all told as it should be\n"), done.stderr


def test_py_consul_sets_weights_and_filters(served: Registry) -> None:
    client = consul.Consul(port=served.http)
    register = client.agent.service.register
    try:
        assert register("api", "a", port=1, weights={"Passing": 512, "Warning": 256})
        assert register("api", "b", port=2, tags=["new"])
        entries = client.health.service("api")[1]
        weights = [each["Service"]["Weights"] for each in entries]
        assert weights == [{"Passing": 512, "Warning": 256}, {"Passing": 1, "Warning": 1}]
        chosen = client.health.service("api", filter_expr='"new" in Service.Tags')[1]
        assert [each["Service"]["ID"] for each in chosen] == ["b"]
        with pytest.raises(consul.exceptions.BadRequest, match="Passing must be greater than 0"):
            register("api", "c", weights={"Passing": 0, "Warning": 1})
        assert register("api", "a", port=1, check=consul.Check.ttl("1h"))
        assert register("api", "a", port=1, replace_existing_checks=True)
        assert client.health.checks("api")[1] == []
    finally:
        for service_id in ("a", "b"):
            client.agent.service.deregister(service_id)


def test_py_consul_by_asyncio_waits_beside_its_other_calls(served: Registry) -> None:
    async def test() -> None:
        client = consul.aio.Consul(port=served.http)
        try:
            index, nodes = await client.health.service("aio")
            assert nodes == []
            waiting = asyncio.ensure_future(
                client.health.service("aio", index=index, wait="1m", passing=True)
            )
            given_up = asyncio.ensure_future(client.catalog.nodes(index="99999999999999"))
            await asyncio.sleep(0.1)
            given_up.cancel()
            assert await client.agent.service.register("aio", port=5)
            later, nodes = await asyncio.wait_for(waiting, PATIENCE_S)
            assert int(later) > int(index)
            assert [each["Service"]["Port"] for each in nodes] == [5]
            assert await client.agent.service.deregister("aio")
        finally:
            await client.close()

    asyncio.run(test())


class Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_an_http_check_follows_its_service_from_well_to_warning(served: Registry) -> None:
    server = HTTPServer(("127.0.0.1", 0), Health)
    serving = Thread(target=server.serve_forever)
    serving.start()
    client = consul.Consul(port=served.http)
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        check = consul.Check.http(url, "1s")
        assert client.agent.service.register("probed", check=check)
        index = None

        def status() -> str:
            nonlocal index
            index, (entry,) = client.health.service("probed", index=index, wait="10s")
            return entry["Checks"][-1]["Status"]

        seen = [status()]
        while seen[-1] != "passing":
            seen.append(status())
        Health.status = 429
        while seen[-1] != "warning":
            seen.append(status())
        assert set(seen) == {"critical", "passing", "warning"}
        assert seen[0] == "critical"
    finally:
        client.agent.service.deregister("probed")
        server.shutdown()
        serving.join()
        server.server_close()
