"""A stand-in in a process of its own (`standin`), and the changes that its registrar has told."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0


class Unseen(AssertionError):
    """What was waited for did not happen in time."""


class Watcher:
    """`popen` starts it: subprocess.Popen or a station's. Options: those of `standin`."""

    def __init__(self, popen: Callable[..., subprocess.Popen[str]], **options: Any) -> None:
        self.id: str = options["id"]
        self.process = popen(
            [sys.executable, "-m", "tools.bench.standin", json.dumps(options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._changed = threading.Condition()
        self.events: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()

    def wait(self, kind: str, identity: str, since_ns: int = 0) -> dict[str, Any]:
        """The first event of that kind after an instant. Raises Unseen if none comes."""
        found: list[dict[str, Any]] = []

        def seen() -> bool:
            found[:] = [
                event
                for event in self.events
                if (event["kind"], event["id"]) == (kind, identity) and event["at_ns"] >= since_ns
            ]
            return bool(found)

        with self._changed:
            if not self._changed.wait_for(seen, PATIENCE_S):
                raise Unseen(f"{self.id} has not seen {identity} {kind}: {self.events[-5:]}")
        return found[0]

    def wait_all(self, identities: Collection[str]) -> int:
        """When the last of these was first added, in monotonic ns."""
        return max(self.wait("added", identity)["at_ns"] for identity in identities)

    def stop(self) -> int:
        """Have it say goodbye; when it began to, in monotonic ns."""
        assert self.process.stdin is not None
        since_ns = time.monotonic_ns()
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()
        began: int = self.wait("stopping", self.id, since_ns)["at_ns"]
        self.process.wait(PATIENCE_S)
        return began

    def kill(self) -> int:
        """Its death; when, in monotonic ns."""
        self.process.kill()
        self.process.wait()
        return time.monotonic_ns()
