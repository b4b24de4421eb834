#!/usr/bin/env python3
"""Set this tree up: its Python environment, its locked packages, and MicroPython for the boards.

    python3 tools/bootstrap.py run     what playing needs        (`make run`)
    python3 tools/bootstrap.py dev     and what tests and lint need (`make test`, `make lint`)

Standard library only; any user, no root, nothing on the system changed. Finished work is stamped,
so running it again costs a file comparison; interrupted work is taken up or begun afresh.
Downloads are kept in the user's cache folder: another tree, or a cleaned one, needs no network.
Exit status: 0 set up, 2 something is missing (a line says what, and what to do), 130 interrupted.
"""

import sys

if sys.version_info < (3, 11):  # before anything that an older Python can't read
    print(
        f"phantom needs Python 3.11 or newer and this is {sys.version_info[0]}."
        f"{sys.version_info[1]}: install one, or name one: make PYTHON=/path/to/python3",
        file=sys.stderr,
    )
    sys.exit(2)

import argparse
import fcntl
import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# As a script, this file's own folder is first on the path: its modules would shadow others' names.
if sys.path and Path(sys.path[0] or ".").resolve() == ROOT / "tools":
    sys.path[0] = str(ROOT)

from tools import micropython
from tools.apt import SetupFault
from tools.packages import HALF_MADE, Environment
from tools.progress import Progress

_STUBS = "requirements-stubs.lock"
_CONSUL2 = "requirements-consul2.lock"
# What each purpose follows from; the first of them is what goes into the environment.
LOCKS = {"run": ["requirements.lock"], "dev": ["requirements-dev.lock", _STUBS, _CONSUL2]}


def main(arguments: list[str] | None = None) -> int:
    """Set up for `run` or `dev`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bootstrap", description="Set this tree up.")
    parser.add_argument("purpose", choices=sorted(LOCKS), nargs="?", default="run")
    purpose = parser.parse_args(arguments).purpose
    if is_set_up(ROOT, purpose):
        return 0
    build = ROOT / "build"
    try:
        build.mkdir(exist_ok=True)
        with _alone(build / "setup.lock"), Progress(build / "setup.log") as progress:
            if not is_set_up(ROOT, purpose):  # another set-up may just have finished
                _set_up(ROOT, purpose, progress)
    except SetupFault as fault:
        print(f"phantom: {fault}", file=sys.stderr)
        return 2
    except OSError as fault:
        print(f"phantom: set-up can't go on: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nphantom: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def cache_folder(fallback: Path) -> Path:
    """The user's cache folder for downloads; `fallback` where there is no home to write to."""
    home = os.environ.get("HOME")
    named = os.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    folder = Path(named) / "phantom"
    if folder.is_absolute():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return fallback
        if os.access(folder, os.W_OK):
            return folder
    return fallback


def _set_up(root: Path, purpose: str, progress: Progress) -> None:
    build, cache = root / "build", cache_folder(root / "build" / "cache")
    print(f"Setting Phantom up ({cache} keeps what is downloaded; later runs skip this)")
    environment = Environment(root, cache, progress)
    with progress.step("Python environment in .venv"):
        environment.make()
    with progress.step("Python packages, as locked") as step:
        step.detail = environment.install(root / LOCKS[purpose][0])
    with progress.step("Phantom itself"):
        environment.install_project()
    if purpose == "dev":
        with progress.step("Type stubs of the boards"):
            environment.install_aside(root / _STUBS, build / "typings")
        with progress.step("A second Consul client, for tests"):
            environment.install_aside(root / _CONSUL2, build / "python-consul2")
    with progress.step("MicroPython for emulated boards") as step:
        found = micropython.obtain(build, cache, step.say, progress.log)
        version = micropython.version_of(found) or micropython.MINIMUM
        step.detail = f"{version[0]}.{version[1]}"
    for also in ("run", "dev")[: 2 if purpose == "dev" else 1]:
        _stamp_path(root, also).write_text(fingerprint(root, also))


def is_set_up(root: Path, purpose: str) -> bool:
    """Whether nothing is to be done: stamped, and no interpreter has gone since."""
    try:
        stamped = _stamp_path(root, purpose).read_text() == fingerprint(root, purpose)
    except OSError:
        return False
    venv = root / ".venv"
    if not stamped or (venv / HALF_MADE).exists() or not (venv / "bin" / "python").exists():
        return False
    try:
        micropython.micropython_path(root / "build")
    except SetupFault:
        return False
    return True


def _stamp_path(root: Path, purpose: str) -> Path:
    return root / ".venv" / f"phantom-{purpose}.stamp"


def fingerprint(root: Path, purpose: str) -> str:
    """Of all that set-up follows from: place (environments can't be moved), Python, locks."""
    digest = hashlib.sha256(f"{root} {sys.version_info[:2]}".encode())
    for name in ("pyproject.toml", *LOCKS[purpose]):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


@contextmanager
def _alone(path: Path) -> Generator[None, None, None]:
    """One set-up of a tree at a time: a second one waits for the first."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("phantom: another set-up of this tree is at work; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
