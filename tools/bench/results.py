"""Where a bench's figures go: one JSON object, to build/bench and as the output's last line."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boards.emulated.interpreter import state_folder


def folder() -> Path:
    """Where results go: build/bench of this tree, made if need be."""
    results = state_folder() / "bench"
    results.mkdir(parents=True, exist_ok=True)
    return results


def workdir(name: str) -> Path:
    """A new folder for a run's captures and logs; no other run, past or present, has it."""
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder()))


def publish(name: str, result: Mapping[str, Any]) -> Path:
    """Writes build/bench/NAME.json and prints the same object as one line, the output's last."""
    path = folder() / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result), flush=True)
    return path
