"""`phantom search serve` as a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_END_S: Final = 60


class NotServedError(RuntimeError):
    """The server did not start; the message is what its log says."""


@dataclass(frozen=True)
class RunningSearch:
    """Where it listens, and the process."""

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(
    folder: Path, application: str, admin_key: str, *options: str
) -> Generator[RunningSearch]:
    """Serves an application out of `folder`/applications; told to end, and waited for.

    Raises NotServedError.
    """
    folder.mkdir(exist_ok=True)
    key = folder / "key"
    key.write_text(admin_key + "\n")
    command = [sys.executable, "-m", "storagebox.cli", "search", "serve", "--app", application]
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
        if words[:1] != ["search"]:
            raise NotServedError((folder / "log").read_text())
        yield RunningSearch(int(words[1].rpartition(":")[2]), process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_S)
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()
