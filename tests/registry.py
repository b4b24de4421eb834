"""`phantom consul serve` as a process, for clients that know nothing of Phantom."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Registry:
    """Where it serves, on 127.0.0.1."""

    http: int
    dns: int


@contextmanager
def registry() -> Iterator[Registry]:
    """One of its own at free ports; it must end well when told to."""
    command = [sys.executable, "-m", "storagebox.cli", "consul", "serve", "--node", "own"]
    process = subprocess.Popen(
        [*command, "--http", "127.0.0.1:0", "--dns", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        told = process.stderr.readline()
        ports = re.search(r"consul\.ready http=127\.0\.0\.1:(\d+) dns=127\.0\.0\.1:(\d+)", told)
        assert ports, told + process.stderr.read()
        yield Registry(int(ports[1]), int(ports[2]))
    finally:
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert "fault" not in said, said
