"""`phantom search serve` as a process of its own, for clients to talk to."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

APP = "MUSIC"
ADMIN_KEY = "0123456789abcdef0123456789abcdef"
_PATIENCE_S = 30


@dataclass(frozen=True)
class RunningSearch:
    """Where it listens, and the process."""

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def search_process(folder: Path, *options: str) -> Iterator[RunningSearch]:
    """Serves the application APP out of `folder`; told to end, and waited for."""
    folder.mkdir(exist_ok=True)
    key = folder / "key"
    key.write_text(ADMIN_KEY + "\n")
    command = [sys.executable, "-m", "storagebox.cli", "search", "serve", "--app", APP]
    command += ["--admin-key-file", str(key), "--folder", str(folder / "applications")]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            [*command, "--port", "0", "--drain", "0", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:1] == ["search"], (folder / "log").read_text()
        yield RunningSearch(int(words[1].rpartition(":")[2]), process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE_S)
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()
