"""How a command ends that doesn't end well: an exit status, and one line on stderr."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

FAILED = 1  # something that was underway
BAD_INPUT = 2
NO_BOX = 3
INTERRUPTED = 130


def fail(text: str, status: int = BAD_INPUT) -> NoReturn:
    """End with one line on stderr."""
    print(f"phantom: {text}", file=sys.stderr)
    raise typer.Exit(status)


def interrupted(text: str = "interrupted") -> NoReturn:
    """End after Ctrl-C, with one line on stderr."""
    fail(text, INTERRUPTED)
