"""Debian's HAProxy takes its servers from our DNS: addresses, ports, weights, and who leaves."""

from __future__ import annotations

import csv
import io
import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import consul
import pytest

from tests.registry import PATIENCE_S, Registry, registry

TIMED = False

CONFIGURATION = """
global
  stats socket {socket} level admin
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
resolvers phantom
  nameserver box {protocol}127.0.0.1:{dns}
  accepted_payload_size 8192
  hold valid 100ms
  hold nx 100ms
  hold obsolete 100ms
  timeout resolve 200ms
frontend in
  bind 127.0.0.1:{port}
  default_backend search
backend search
  balance roundrobin
  server-template s 5 _search._tcp.service.consul resolvers phantom resolve-prefer ipv4 init-addr none
"""  # noqa: E501 - one line of its configuration


class Hello(BaseHTTPRequestHandler):
    """Says which of the servers it is."""

    def do_GET(self) -> None:
        name = str(self.server.server_address[0]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(name)))
        self.end_headers()
        self.wfile.write(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def servers(hosts: list[str]) -> Iterator[dict[str, int]]:
    """One at each host, by its port."""
    with ExitStack() as stack:
        ports = {}
        for host in hosts:
            server = stack.enter_context(HTTPServer((host, 0), Hello))
            thread = Thread(target=server.serve_forever)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            ports[host] = server.server_port
        yield ports


class Proxy:
    """HAProxy, asked by its statistics socket and by requests."""

    def __init__(self, folder: Path, served: Registry, protocol: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._socket = folder / "stats"
        file = folder / "haproxy.cfg"
        file.write_text(
            CONFIGURATION.format(
                socket=self._socket, dns=served.dns, port=self._port, protocol=protocol
            )
        )
        self._log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            ["haproxy", "-db", "-f", str(file)], stdout=self._log, stderr=self._log
        )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._log.close()

    def weights(self) -> dict[str, int]:
        """Of the servers that are up, by address."""
        if not self._socket.exists():
            return {}
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self._socket))
            asked.sendall(b"show stat\n")
            told = asked.makefile().read()
        rows = csv.DictReader(io.StringIO(told.lstrip("# ")))
        up = [row for row in rows if row["svname"].startswith("s") and row["svname"] != "stats"]
        return {
            row["addr"]: int(row["weight"])
            for row in up
            if row["status"] in ("UP", "no check", "DRAIN") and row["addr"]
        }

    def until(self, expected: Callable[[dict[str, int]], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not expected(weights := self.weights()):
            assert self.process.poll() is None, Path(self._log.name).read_text()
            assert time.monotonic() < end, (weights, Path(self._log.name).read_text())
            time.sleep(0.05)

    def request(self) -> str:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            told = answer.read().decode()
            assert answer.status == 200, told
            return told
        finally:
            connection.close()


@pytest.fixture
def proxied(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Proxy, Any]]:
    if shutil.which("haproxy") is None:
        remedy = "no HAProxy: apt install haproxy"
        if os.environ.get("CI") == "true":
            pytest.fail(remedy, pytrace=False)
        pytest.skip(remedy)
    with registry() as served:
        proxy = Proxy(tmp_path, served, request.param)
        try:
            yield proxy, consul.Consul(port=served.http)
        finally:
            proxy.close()


@pytest.mark.parametrize("proxied", ["", "tcp@"], indirect=True, ids=["udp", "tcp"])
def test_haproxy_follows_weights_drains_and_departures(proxied: tuple[Proxy, Any]) -> None:
    proxy, client = proxied
    shares = {"127.0.0.71": 1, "127.0.0.72": 2, "127.0.0.73": 3}
    with servers(list(shares)) as ports:

        def register(host: str, passing: int, warning: int = 0) -> None:
            client.agent.service.register(
                "search",
                host,
                address=host,
                port=ports[host],
                weights={"Passing": passing, "Warning": warning},
                check=consul.Check.ttl("1h"),
            )

        for host, share in shares.items():
            register(host, 256 * share)
            client.agent.check.ttl_pass(f"service:{host}")
        wanted = {f"{host}:{ports[host]}": share for host, share in shares.items()}
        proxy.until(lambda weights: weights == wanted)
        assert Counter(proxy.request() for _ in range(60)) == {
            host: 10 * share for host, share in shares.items()
        }
        # Drained: it warns, and wants no requests while it does.
        client.agent.check.ttl_warn("service:127.0.0.73")
        proxy.until(lambda weights: weights.get(f"127.0.0.73:{ports['127.0.0.73']}") == 0)
        assert "127.0.0.73" not in {proxy.request() for _ in range(12)}
        # In maintenance, and gone.
        client.agent.service.maintenance("127.0.0.72", True)
        proxy.until(lambda weights: f"127.0.0.72:{ports['127.0.0.72']}" not in weights)
        assert {proxy.request() for _ in range(6)} == {"127.0.0.71"}
        client.agent.service.deregister("127.0.0.71")
        client.agent.service.maintenance("127.0.0.72", False)
        # A question may have come between the two, and found none.
        left = {f"127.0.0.72:{ports['127.0.0.72']}": 2, f"127.0.0.73:{ports['127.0.0.73']}": 0}
        proxy.until(lambda weights: weights == left)
        assert {proxy.request() for _ in range(6)} == {"127.0.0.72"}
