"""The serial ports, and what is on each: a board of ours, a bare chip, or nothing that answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from tools.flash import esptool, mpremote, ports
from tools.flash.faults import FlashFault
from tools.flash.ports import Port

# A board answers Ctrl-C within milliseconds, unless it is just writing flash.
_ANSWER_SECONDS = 2.5


@dataclass(frozen=True)
class Row:
    """A port. state: phantom, micropython, bare (a chip that only its ROM loader speaks for),
    silent, busy, or fault; `why` says more. What is unknown is None."""

    port: str
    state: str
    why: str = ""
    description: str = ""
    chip: str | None = None
    mac: str | None = None
    micropython: str | None = None
    phantom: str | None = None
    board: str | None = None
    id: str | None = None
    name: str | None = None
    house: str | None = None
    ssid: str | None = None
    flash_bytes: int | None = None
    filesystem_bytes: int | None = None
    free_bytes: int | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def look(wanted: Sequence[str] | None, touch: bool = True) -> list[Row]:
    """A row for each port, or each that is `wanted`, all looked at at once.

    A board that runs is interrupted to be asked, and starts again; not so without `touch`.
    """
    found = ports.found() if not wanted else [Port(path) for path in wanted]
    if not found:
        return []
    with ThreadPoolExecutor(len(found)) as pool:
        return list(pool.map(lambda port: _row(port, touch), found))


def _row(port: Port, touch: bool) -> Row:
    try:
        ports.check(port.path)
    except FlashFault as fault:
        why = str(fault).removeprefix(f"{port.path}: ")
        state = "busy" if why.startswith("in use") else "fault"
        return Row(port.path, state, why, port.description)
    if not touch:
        return Row(port.path, "untouched", "not asked", port.description)
    try:
        if mpremote.answers(port.path, _ANSWER_SECONDS):
            return _told(port, mpremote.ask(port.path, mpremote.script("tell")))
        return _bare(port)
    except FlashFault as fault:
        return Row(
            port.path, "silent", str(fault).removeprefix(f"{port.path}: "), port.description
        )


def _told(port: Port, told: dict[str, Any]) -> Row:
    state = "phantom" if told.get("phantom") else "micropython"
    machine = str(told.get("machine", ""))
    match = re.search(r" with (ESP32\S*)", machine)
    chip = esptool.kind(match[1]) if match else None
    mac = told.get("mac")
    return Row(
        port.path,
        state,
        "" if state == "phantom" else "no Phantom on it: `phantom flash`",
        port.description,
        chip.title if chip else machine or None,
        ":".join(re.findall("..", mac)) if mac else None,
        **{
            name: told.get(name)
            for name in ("micropython", "phantom", "board", "id", "name", "house", "ssid")
        },
        **{name: told.get(name) for name in ("flash_bytes", "filesystem_bytes", "free_bytes")},
    )


def _bare(port: Port) -> Row:
    connected = esptool.identify(port.path, attempts=2)
    return Row(
        port.path,
        "bare",
        "no MicroPython answers: `phantom flash`",
        port.description,
        connected.title,
        connected.mac,
        flash_bytes=connected.flash_bytes,
    )
