"""The panel's own process: `python -m storagebox.pins FILE CONTROL_SOCKET`.

Tells events on stdout, an object a line, and ends when stdin does, so that it never outlives its
box. Exit status 2: the pins or the file can't be used, and trying again would not help.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from . import wiring
from .beside import USELESS
from .blinka import BlinkaGpio
from .gpio import Gpio, GpioError
from .panel import Panel, as_events
from .wiring import WiringError


def _write(event: dict[str, Any]) -> None:
    print(json.dumps(event), flush=True)


async def _work(file: Path, control: Path, gpio: Gpio) -> None:
    tell = as_events(_write)
    found = wiring.read(file)
    panel = Panel(found, gpio, control, tell)
    names = {"buttons": found.buttons, "lights": found.lights}
    tell("pins.ready", **{key: [each.name for each in some] for key, some in names.items()})
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, _heard, ended)
    working = asyncio.ensure_future(panel.run())
    ending = asyncio.ensure_future(ended.wait())
    done, _ = await asyncio.wait((working, ending), return_when=asyncio.FIRST_COMPLETED)
    if working in done:
        working.result()  # raises what ended it
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


def _heard(ended: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        ended.set()


def main(arguments: list[str]) -> int:
    """Run until stdin ends; returns the exit status."""
    file, control = map(Path, arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the box's, which then ends this
    try:
        gpio = BlinkaGpio()
        try:
            asyncio.run(_work(file, control, gpio))
        finally:
            gpio.close()
    except (GpioError, WiringError) as fault:
        _write({"event": "pins.off", "reason": str(fault)})
        return USELESS
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
