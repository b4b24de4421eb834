"""Records what Consul's own agent answers to scenarios.py, for the tests of ours.

    python -m tests.registrar.consul.record path/to/consul > tests/registrar/consul/golden.json

Debian 11 has a `consul` of version 1.8.7, which is the measure. Masked is what differs from run to
run: identities, indexes, times, ports of clients.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.registrar.consul.masking import HEADERS, masked
from tests.registrar.consul.scenarios import SCENARIOS

PORT = 18500
CONFIGURATION = {
    "disable_update_check": True,
    "node_name": "n1",
    "ports": {"http": PORT, "dns": -1, "grpc": -1, "server": 8300},
}


@contextlib.contextmanager
def agent(program: str) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "agent.json"
        file.write_text(json.dumps(CONFIGURATION))
        command = [program, "agent", "-dev", "-bind", "127.0.0.1", "-config-file", str(file)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            for _ in range(200):
                time.sleep(0.05)
                with contextlib.suppress(OSError, ValueError):
                    (node,) = json.loads(ask("GET", "/v1/catalog/nodes", "")["body"])
                    if node["TaggedAddresses"]:
                        break
            yield
        finally:
            process.terminate()
            process.wait()


def ask(method: str, path: str, body: str) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", PORT, timeout=5)
    try:
        connection.request(method, path, body.encode() or None)
        answer = connection.getresponse()
        text = answer.read().decode()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return {"status": answer.status, "headers": headers, "body": text}
    finally:
        connection.close()


def record(program: str) -> dict[str, Any]:
    recorded = {}
    for name, steps in SCENARIOS.items():
        with agent(program):
            answers = []
            for step in steps:
                if isinstance(step, float):
                    time.sleep(step)
                    continue
                method, path, body = step
                try:
                    answer = ask(method, path, body)
                except TimeoutError:
                    sys.exit(f"{name}: {method} {path} isn't answered")
                answers.append(
                    {"ask": f"{method} {path} {body}".strip()[:300]}
                    | masked(path, answer["status"], answer["headers"], answer["body"])
                )
            recorded[name] = answers
    return {"headers": list(HEADERS), "scenarios": recorded}


if __name__ == "__main__":
    json.dump(record(sys.argv[1]), sys.stdout, indent=1, ensure_ascii=False)
    print()
