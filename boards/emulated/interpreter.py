"""Where the MicroPython that runs emulated boards is. tools/micropython.py gets it there.

Standard library only: set-up asks before anything is installed.
"""

import os
import shutil
import sys
from pathlib import Path

MINIMUM = (1, 24)  # the first with .mpy 6.3, native code as mpy-cross of today compiles it
VARIABLE = "PHANTOM_MICROPYTHON"
WANTED = f"MicroPython ≥ {MINIMUM[0]}.{MINIMUM[1]}"
REMEDY = f"install {WANTED}, or name one with {VARIABLE}=/path/to/it"

_TREE = Path(__file__).resolve().parents[2]


class InterpreterMissing(RuntimeError):
    """There is no MicroPython for boards; the message says what to do."""


def state_folder() -> Path:
    """What set-up makes lives here: build/ of a source tree, else the user's cache folder."""
    if _in_source_tree():
        return _TREE / "build"
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "phantom"


def micropython_path(state: Path | None = None) -> Path:
    """The interpreter for boards: $PHANTOM_MICROPYTHON, the one set up here, or one on PATH.

    Raises InterpreterMissing when there is none, or the variable names none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if os.access(named, os.X_OK) and Path(named).is_file():
            return Path(named)
        raise InterpreterMissing(
            f"{VARIABLE} names {named}, which is no program: correct it or unset it"
        )
    made = (state or state_folder()) / "micropython" / "micropython"
    if made.exists():
        return made
    found = shutil.which("micropython")
    if found:
        return Path(found)
    fetch = "make setup" if _in_source_tree() else f"{sys.executable} -m tools.micropython"
    raise InterpreterMissing(f"no MicroPython is set up: run `{fetch}`, or {REMEDY}")


def _in_source_tree() -> bool:
    return (_TREE / "pyproject.toml").exists()
