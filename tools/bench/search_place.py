"""Where an index is measured: a folder, and processes that fill it, search it and serve it."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from tools.bench.search_server import NotServedError, serving
from tools.bench.search_worker import APPLICATION


class BenchError(RuntimeError):
    """This bench can't be run here, or as asked."""


@dataclass(frozen=True)
class Place:
    """An application in a folder of its own, its records beside it."""

    folder: Path
    admin_key: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        self.folder.mkdir()

    @property
    def records(self) -> Path:
        """Where they are, a JSON object a line."""
        return self.folder / "records.ndjson"

    @property
    def applications(self) -> Path:
        """What a server serves."""
        return self.folder / "applications"

    def fill(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Index the records, in a process of its own."""
        return _work(
            "fill",
            folder=str(self.applications / APPLICATION),
            records=str(self.records),
            settings=settings,
            admin_key=self.admin_key,
        )

    def ask(
        self,
        *,
        warm: Sequence[str],
        queries: Sequence[str] = (),
        filtered: Mapping[str, Any] | None = None,
        typed: Sequence[tuple[str, Sequence[str]]] = (),
        writes: int = 0,
    ) -> dict[str, Any]:
        """Search, in a process of its own."""
        return _work(
            "ask",
            folder=str(self.applications / APPLICATION),
            warm=warm,
            queries=queries,
            filtered=filtered or {},
            typed=typed,
            writes=writes,
        )


def _work(job: str, **arguments: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench.search_worker"],
        input=orjson.dumps({"job": job, **arguments}),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise BenchError(f"{job}: {last or f'exit status {done.returncode}'}")
    return orjson.loads(done.stdout)


@contextmanager
def served(place: Place) -> Generator[int]:
    """A server process of it; its port."""
    try:
        with serving(place.folder, APPLICATION, place.admin_key) as running:
            yield running.port
    except NotServedError as fault:
        raise BenchError(f"the server did not start: {fault}") from None
