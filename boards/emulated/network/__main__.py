"""`python -m boards.emulated.network --profile wifi --measure 5`: a profile, measured."""

from __future__ import annotations

import argparse
import json
import sys

from .measure import PERCENTS, Measurement, measure_link
from .namespace import NetworkUnavailable
from .profiles import PROFILES, profile_named


def main(arguments: list[str] | None = None) -> int:
    """Measure and print. 0, or 2 where the machine or user can't have a virtual network."""
    parser = argparse.ArgumentParser(
        prog="python -m boards.emulated.network",
        description="Ping an emulated board from a box on a cable, through the access point.",
    )
    parser.add_argument("--profile", choices=list(PROFILES), default="wifi")
    parser.add_argument("--measure", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--interval-ms", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    profile = profile_named(options.profile)
    try:
        result = measure_link(profile, options.measure, options.interval_ms, options.seed)
    except NetworkUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    print(_as_json(options.profile, result) if options.json else _as_table(result))
    return 0


def _as_json(profile: str, result: Measurement) -> str:
    rows = {
        name: dict(zip((f"p{percent:g}_us" for percent in PERCENTS), values, strict=False))
        for name, values in result.rows()
    }
    lost = round(result.lost_ratio, 4)
    return json.dumps({"profile": profile, "sent": result.sent, "lost_ratio": lost, **rows})


def _as_table(result: Measurement) -> str:
    names = ["min", *(f"p{percent:g}" for percent in PERCENTS[1:-1]), "max"]
    lines = [f"{'us':12}" + "".join(f"{name:>9}" for name in names)]
    for name, values in result.rows():
        lines.append(f"{name:12}" + "".join(f"{value:9}" for value in values))
    lines.append(f"{result.sent} pings, {result.lost_ratio:.1%} lost")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
