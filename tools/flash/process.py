"""Runs other people's tools: their lines as they come, a time limit, and an end with ours."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.flash.faults import FlashFault

# What a process gets to write its last words once it is told to end.
_END_SECONDS = 3.0


@dataclass(frozen=True)
class Ended:
    """How a process ended: its status, None if it was ended for taking too long; what it wrote."""

    status: int | None
    output: str


def need(*modules: str) -> None:
    """Raise FlashFault if one of these Python modules isn't installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise FlashFault(
                f"{module} is not installed: it comes with Phantom's extra `boards`: "
                "pip install 'phantom-multiroom[boards]', or `make setup-dev` in its folder"
            )


def run_module(
    module: str,
    arguments: Sequence[str | Path],
    seconds: float,
    hear: Callable[[str], None] | None = None,
) -> Ended:
    """Run `python -m module`, passing each line of its output to hear(line) as it comes."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # Wide, so that no message is broken; plain, so that none is coloured.
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "1000", "NO_COLOR": "1"},
    )
    late = threading.Event()
    watchdog = threading.Timer(seconds, lambda: (late.set(), _end(process)))
    watchdog.daemon = True
    watchdog.start()
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if hear is not None:
                hear(line.rstrip("\n"))
        status = process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        watchdog.cancel()
    return Ended(None if late.is_set() else status, "".join(lines))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
