"""`phantom search serve` as a process of its own, for clients to talk to."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

from tools.bench.search_server import RunningSearch, serving

APP = "MUSIC"
ADMIN_KEY = "0123456789abcdef0123456789abcdef"


@contextlib.contextmanager
def search_process(folder: Path, *options: str) -> Generator[RunningSearch]:
    """Serves the application APP out of `folder`; told to end, and waited for."""
    with serving(folder, APP, ADMIN_KEY, *options) as running:
        yield running
