"""Consul's own agent, where there is one: `.ci/consul` gets the last that Debian had."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

PATIENCE_S = 30.0


@contextmanager
def agent(folder: Path, node: str) -> Generator[dict[str, int]]:
    """Its ports by name once it serves, `http` and `dns` among them; skips where there is none."""
    program = shutil.which("consul")
    if program is None:
        pytest.skip("no Consul agent is installed: no current Debian has one, see .ci/consul")
    names = ("http", "dns", "server", "serf_lan", "serf_wan")
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    settings = {
        "disable_update_check": True,
        "node_name": node,
        "ports": {**ports, "grpc": -1},
    }
    (folder / "consul.json").write_text(json.dumps(settings), "utf-8")
    command = [program, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1"]
    command.append(f"-config-file={folder / 'consul.json'}")
    with (folder / "consul.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await(f"http://127.0.0.1:{ports['http']}")
        yield ports
    finally:
        process.kill()
        process.wait()


def _await(url: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    with httpx.Client(base_url=url) as client:
        while time.monotonic() < end_s:
            with suppress(httpx.HTTPError, ValueError):
                known = client.get("/v1/health/state/any").json()
                if client.get("/v1/status/leader").json() and known:
                    return
            time.sleep(0.05)
    pytest.fail(f"Consul isn't ready within {PATIENCE_S:.0f} s")


def _free_ports(count: int) -> list[int]:
    tried = [socket.socket() for _ in range(count)]
    try:
        for each in tried:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in tried]
    finally:
        for each in tried:
            each.close()
