"""What every bench's command does around its measurement."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tools.bench import results
from tools.demo.arguments import BAD_INPUT


def command(
    name: str,
    parser: ArgumentParser,
    arguments: Sequence[str],
    run: Callable[[dict[str, Any]], Mapping[str, Any]],
    summary: Callable[[Mapping[str, Any]], str],
    faults: tuple[type[Exception], ...],
) -> int:
    """Parse, run, tell and publish; returns the exit status.

    `run` gets the parsed options by name, without `json`. One of `faults` becomes one line and
    exit status 2: the bench can't be run as asked.
    """
    try:
        chosen = vars(parser.parse_args(arguments))
        as_json = chosen.pop("json")
        result = run(chosen)
    except SystemExit as ending:
        return int(ending.code or 0)
    except faults as fault:
        print(f"phantom bench {name}: {fault}", file=sys.stderr)
        return BAD_INPUT
    if not as_json:
        print(summary(result))
    results.publish(name, result)
    return 0
