"""The registry's own process beside a box: `python -m storagebox.registrar.consul NODE ADDRESS`.

NODE is the box's id, ADDRESS its own. `--http` and `--dns` say where to serve. Lines on stdin are
JSON objects: `{"only": ids}`, `{"seen": housemate}` or `{"gone": id, "reason": text}`. Tells
events on stdout, an object a line, and ends when stdin does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from storagebox.beside import USELESS
from storagebox.journal import Journal

from .address import parse
from .agent import own_node
from .house import House, Housemate
from .refused import Refused
from .serving import CannotServe, Serving

# Music is not to wait for this.
_NICE: Final = 5
_MAX_LINE_BYTES: Final = 1 << 16


class _Told(Journal):
    """A journal whose events are the box's to write down."""

    def __init__(self) -> None:
        super().__init__(None)

    def emit(self, event: str, **fields: Any) -> None:
        name = event if event.startswith("consul.") else f"consul.{event}"
        with suppress(BrokenPipeError):  # the box is gone: so is this, in a moment
            print(json.dumps({"event": name, **fields}), flush=True)


async def _run(arguments: argparse.Namespace, journal: Journal) -> int:
    serving = Serving(own_node(arguments.node, arguments.address), journal)
    async with serving:
        try:
            told: dict[str, str] = {}
            if arguments.http:
                host, port = parse(arguments.http)
                told["http"] = f"{host}:{await serving.http(host, port)}"
            if arguments.dns:
                host, port = parse(arguments.dns)
                told["dns"] = f"{host}:{await serving.dns(host, port)}"
        except CannotServe as fault:
            journal.emit("consul.off", reason=str(fault))
            return USELESS
        journal.emit("consul.ready", **told)
        await _listen(serving.house)
    return 0


async def _listen(house: House) -> None:
    reader = asyncio.StreamReader(limit=_MAX_LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        with suppress(Refused):  # the catalogue is full: those who are in it stay
            _hear(house, json.loads(line))


def _hear(house: House, told: Mapping[str, Any]) -> None:
    if "seen" in told:
        house.seen(Housemate.of(told["seen"]))
    elif "only" in told:
        house.only(told["only"])
    else:
        house.gone(told["gone"], told["reason"], time.monotonic())


def main() -> int:
    """Run until stdin ends; returns the exit status."""
    parser = argparse.ArgumentParser(prog="storagebox.registrar.consul")
    parser.add_argument("node")
    parser.add_argument("address")
    parser.add_argument("--http", default="")
    parser.add_argument("--dns", default="")
    with suppress(OSError):
        os.nice(_NICE)
    return asyncio.run(_run(parser.parse_args(), _Told()))


if __name__ == "__main__":
    sys.exit(main())
