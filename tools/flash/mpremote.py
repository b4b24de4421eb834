"""mpremote, unmodified, as a process of its own: it runs a script on a board for us."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from tools.flash import ports
from tools.flash.faults import UNDERWAY, FlashFault
from tools.flash.line import Line
from tools.flash.process import Ended, need, run_module

# Entering the REPL, a soft reset and a short script; mpremote alone may wait for ever.
_SECONDS = 20.0
# A board that was just reset is back within this.
_ANSWER_SECONDS = 6.0
_AGAIN_SECONDS = 0.5
_RAW_REPL = "raw REPL; CTRL-B to exit"
_INTERRUPT, _ENTER_RAW, _LEAVE_RAW = b"\r\x03\x03", b"\r\x01", b"\r\x02"
_ANSWER = re.compile(r"^PHANTOM (\{.*\})\s*$", re.MULTILINE)


def script(name: str) -> str:
    """The text of a script in on_board/."""
    return (Path(__file__).parent / "on_board" / f"{name}.py").read_text(encoding="utf-8")


def ask(port: str, script: str, seconds: float = _SECONDS, reset: bool = True) -> dict[str, Any]:
    """Run a script that prints PHANTOM and an object, after a soft reset; that object.

    With `reset` the board starts again afterwards, whatever came of it. Raises FlashFault.
    """
    need("serial", "mpremote")
    ports.check(port)
    if not answers(port, _ANSWER_SECONDS):
        raise FlashFault(f"{port}: {_SILENT}", UNDERWAY)
    # A file of ours alone: what a script holds may be secret, and a command line is not.
    with tempfile.TemporaryDirectory(prefix="phantom-") as folder:
        file = Path(folder) / "script.py"
        file.write_text(script, encoding="utf-8")
        ended = run_module("mpremote", ["connect", port, "run", str(file)], seconds)
    if reset and ended.status is not None:
        run_module("mpremote", ["connect", port, "resume", "reset"], seconds)
    match = _ANSWER.search(ended.output)
    if match is None:
        raise explain(port, ended)
    return json.loads(match[1])


def answers(port: str, seconds: float) -> bool:
    """Whether MicroPython's REPL is on the port within that time; what runs is interrupted."""
    heard = ""
    end = time.monotonic() + seconds
    with Line(port) as line:
        while _RAW_REPL not in heard and time.monotonic() < end:
            # Again and again: what a board gets while it starts is lost.
            line.write(_INTERRUPT + _ENTER_RAW)
            again = time.monotonic() + _AGAIN_SECONDS
            while _RAW_REPL not in heard and time.monotonic() < again:
                heard += line.read(0.1)
        line.write(_LEAVE_RAW)
    return _RAW_REPL in heard


def become(port: str, commands: Sequence[str]) -> NoReturn:
    """Become mpremote on this port, for a person: this process is it from now on."""
    need("serial", "mpremote")
    ports.check(port)
    os.execv(sys.executable, [sys.executable, "-m", "mpremote", "connect", port, *commands])


def explain(port: str, ended: Ended) -> FlashFault:
    """The fault that mpremote's output tells of, in a line of our own."""
    output = ended.output
    for pattern, text in _EXPLANATIONS:
        if re.search(pattern, output):
            return FlashFault(f"{port}: {text}", UNDERWAY)
    if ended.status is None or "could not enter raw repl" in output:
        return FlashFault(f"{port}: {_SILENT}", UNDERWAY)
    lines = [line for line in output.strip().splitlines() if line.strip()]
    said = lines[-1].strip() if lines else "nothing"
    return FlashFault(f"{port}: the board says {said}: repeat", UNDERWAY)


_SILENT = (
    "the board is silent: no MicroPython answers; press its RESET (or EN) button and repeat, "
    "or flash it"
)
_EXPLANATIONS = (
    (
        r"failed to access .* in use by another program",
        "in use by another program: close it, then repeat",
    ),
    (
        r"device disconnected|Input/output error|SerialException|no device found",
        "the connection broke off: plug the board in again and repeat",
    ),
    (r"MemoryError", "the board is short of memory: press its RESET (or EN) button and repeat"),
)
