"""`make lint`: style, types on both sides of the wire, and which way imports point.

Every check runs even if an earlier one found something; the exit status is 1 if any did.
"""

import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PYRIGHT = ("pyright", "--project")
_CHECKS = (
    ("Style (ruff)", ("ruff", "check", "--quiet")),
    ("Types of box and tools (pyright)", (*_PYRIGHT, "pyproject.toml")),
    ("Types of firmware (pyright, board stubs)", (*_PYRIGHT, "firmware")),
    ("Types of emulated boards (pyright, the same)", (*_PYRIGHT, "boards/emulated/stubs")),
    ("Layers (import-linter)", ("lint-imports", "--no-logo", "--no-cache")),
)


def main() -> int:
    """Run every check; returns the exit status."""
    programs = Path(sysconfig.get_path("scripts"))
    # pyright would ask a registry whether there is a newer one.
    env = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    failed: list[str] = []
    for title, (program, *arguments) in _CHECKS:
        began = time.monotonic()
        done = subprocess.run(
            [programs / program, *arguments],
            cwd=_ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            failed.append(title)
            print(done.stdout.rstrip())
        verdict = "found something" if done.returncode else "clean"
        print(f"  {title:<46} {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
