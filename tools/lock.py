"""`make lock`: resolve the newest packages that pyproject.toml allows; write them with hashes.

One answer for every Python and processor that is supported, so that all run the same versions.
requirements.lock is what playing needs; requirements-dev.lock adds what tests, lint and real
boards need, with the same versions of what they share; requirements-stubs.lock is kept apart, for
build/typings, and so is requirements-consul2.lock, for build/python-consul2.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_RUN = "requirements.lock"
_LOCKS = {
    _RUN: ("--group=build", "pyproject.toml"),
    "requirements-dev.lock": (
        *(f"--group={name}" for name in ("build", "build-esptool", "test", "lint", "lock")),
        *("--extra=boards", "--extra=pi", f"--constraint={_RUN}", "pyproject.toml"),
    ),
    "requirements-stubs.lock": ("--group=stubs",),
    "requirements-consul2.lock": ("--group=consul2", "--constraint=requirements-dev.lock"),
}
# No index address gets into a file: whoever installs has an index of their own.
_HOW = ("--universal", "--generate-hashes", "--no-header", "--fork-strategy=fewest", "--upgrade")


def main() -> int:
    """Write every lock file; returns the exit status."""
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    for lock, what in _LOCKS.items():
        command = [uv, "pip", "compile", "--quiet", *_HOW, *what, f"--output-file={lock}"]
        if subprocess.run(command, cwd=_ROOT, env=env, check=False).returncode:
            print(f"phantom: {lock} stays as it was: uv found no answer", file=sys.stderr)
            return 2
        print(f"  {lock} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
