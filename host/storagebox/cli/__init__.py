"""The command `phantom`: a module for each thing people do, tables apart from the asking."""

import sys


def main() -> None:
    """Entry point of the distribution."""
    try:
        from .commands import app
    except KeyboardInterrupt:  # a small machine takes seconds over it
        print("phantom: interrupted", file=sys.stderr)
        sys.exit(130)
    app()
