"""Benches: each prints one JSON object as its last line and writes it to build/bench/NAME.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def folder() -> Path:
    """Where results go, made if need be."""
    path = Path("build", "bench").absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def publish(name: str, result: dict[str, Any]) -> None:
    """Writes a bench's result to its file and prints it as one line."""
    line = json.dumps(result)
    (folder() / f"{name}.json").write_text(line + "\n")
    print(line, flush=True)
