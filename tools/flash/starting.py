"""What a board says on its serial line when it starts, and what that means."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from tools.flash.line import Line

_CODE = re.compile(r"phantom adopt (\S+) ([A-Z2-9]{4}-[A-Z2-9]{4}-[A-Z2-9]{4})")
_OF_A_HOUSE = re.compile(r"this device: (\S+) of (.+?)\r?\n")
_TROUBLE = (
    (re.compile(r"invalid header: 0x[0-9a-f]+"), "its ROM finds no MicroPython in the flash"),
    (re.compile(r"filesystem appears to be corrupted"), "MicroPython finds no file system"),
    (re.compile(r"^Traceback", re.MULTILINE), "its firmware broke off: see `phantom logs`"),
    (re.compile(r"Brownout detector"), "too little power: try another USB port or cable"),
)
# At MicroPython's prompt, whatever was being typed.
_RESET = b"\r\x03\x02import machine; machine.reset()\r"
# After whatever it says first, a board that has nothing more to say is silent.
_QUIET_SECONDS = 6.0


@dataclass(frozen=True)
class Started:
    """text: for people. heard: whether it said anything. trouble: whether it can't run so.

    id, code: by which it can be adopted; None if it belongs to a house, or has not said it.
    """

    text: str
    heard: bool = True
    trouble: bool = False
    id: str | None = None
    code: str | None = None


def watch(
    port: str, seconds: float, say: Callable[[str], None], *, reset: bool = False
) -> Started:
    """Listen on a board's serial line after a reset, until it is clear how it started.

    reset: it is at MicroPython's prompt, and is to be reset first.
    """
    say("the board starts")
    heard = ""
    end = time.monotonic() + seconds
    with Line(port) as line:
        if reset:
            line.write(_RESET)
        quiet_since = time.monotonic()
        while time.monotonic() < end:
            text = line.read(0.2)
            if text:
                heard += text
                quiet_since = time.monotonic()
            started = judge(heard)
            if started is not None:
                return started
            if heard and time.monotonic() - quiet_since > _QUIET_SECONDS:
                break
    if heard.strip():
        return Started("it runs")
    return Started("it says nothing: press its RESET (or EN) button, then `phantom logs`", False)


def judge(heard: str) -> Started | None:
    """What a board has told of its start so far; None if nothing yet."""
    match = _CODE.search(heard)
    if match:
        text = f"it waits to be adopted: phantom adopt {match[1]} {match[2]}"
        return Started(text, id=match[1], code=match[2])
    match = _OF_A_HOUSE.search(heard)
    if match:
        return Started(f"it runs, as {match[1]} of {match[2]}", id=match[1])
    for pattern, text in _TROUBLE:
        if pattern.search(heard):
            return Started(text, trouble=True)
    return None
