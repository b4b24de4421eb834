"""What the boards of a house said of themselves lately: told beside what they truly did.

A thread asks the box for its boards' reports twice a second and keeps those of the last minutes. A
report says when, in the board's own ticks, it believed it was which house time; the crystal that
drives ticks and DAC is known here, so how far its clock was off is not a belief.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boards.emulated.board import STALLS, TICKS_WRAP, EmulatedBoard
from boards.emulated.capture import CaptureReader, Segment
from phantom.rpc import RpcError
from storagebox.control import ControlClient, ControlError

_EVERY_S = 0.5
_KEPT = 400  # reports of a board: over three minutes
_SHOWN = (
    *("error_us", "skew_ppb", "gap_us", "clock_samples", "rtt_us", "rtt_best_us", "rtt_p95_us"),
    *("cursor_us", "trims", "realigns", "underruns", "buffer_ms"),
)
# What is told of before a row began.
_BEFORE_US = 5e6
# A capture's head, which holds the segment's.
_HEAD_BYTES = 64


class Witness:
    """Listens to the box at a control socket, also to one that is started again, until `close`."""

    def __init__(self, control: Path) -> None:
        self._control = control
        self._reports: dict[str, deque[Mapping[str, Any]]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="witness", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._over.set()
        self._thread.join()

    def _listen(self) -> None:
        while not self._over.wait(_EVERY_S):
            # The box may be dead, which is what some rows are about.
            with contextlib.suppress(ControlError, RpcError), ControlClient(self._control) as box:
                while not self._over.wait(_EVERY_S):
                    self._keep(box.call("status"))

    def _keep(self, status: Mapping[str, Any]) -> None:
        for device in (device for room in status["rooms"] for device in room["devices"]):
            kept = self._reports.setdefault(device["id"], deque(maxlen=_KEPT))
            if device.get("ticks") is not None and (
                not kept or kept[-1]["ticks"] != device["ticks"]
            ):
                kept.append(device)

    def told(self, board: EmulatedBoard, since_us: float, until_us: float) -> list[str]:
        """What a board said from some seconds before an instant to another, a line a report.

        Both are of the machine's clock, and times in the lines are seconds after the first.
        """
        lines: list[str] = []
        lives = _lives(board)
        for report in tuple(self._reports.get(board.name, ())):
            made_us = _made_us(lives, report["ticks"], until_us, board.profile.kind.dac.delay_us)
            if made_us is not None and made_us > since_us - _BEFORE_US:
                at_s = (made_us - since_us) / 1e6
                lines.append(f"{board.name} said {_line(at_s, made_us, report)}")
        return lines


def _lives(board: EmulatedBoard) -> list[Segment]:
    """The straight lines from a board's ticks to the machine's clock, one a life."""
    readers = [CaptureReader(path) for path in board.captures]
    for reader in readers:
        reader.poll(_HEAD_BYTES)
    return [reader.segments[0] for reader in readers if reader.segments]


def _made_us(
    lives: Sequence[Segment], ticks: int, until_us: float, dac_delay_us: int
) -> float | None:
    """When a board's counter was at `ticks`, in us of the machine's clock; None: in no life."""
    for life in reversed(lives):
        passed = (ticks - life.ticks_start) % TICKS_WRAP
        made_us = life.t0_ns / 1e3 - dac_delay_us + passed * life.rate / life.rate_actual
        if made_us < until_us:
            return made_us
    return None


def stood_still(since_us: float) -> list[str]:
    """When boards of this machine were kept from running, of late (tests/stalls.py)."""
    return [
        f"a board was kept from running for {length_us / 1e3:.0f} ms"
        f" until {(ended_us - since_us) / 1e6:+.2f} s"
        for ended_us, length_us in _stalls()
        if ended_us > since_us - _BEFORE_US
    ]


def _line(after_s: float, made_us: float, report: Mapping[str, Any]) -> str:
    house_us = report.get("house_us")
    clock = "no time" if house_us is None else f"clock {house_us - made_us:+.0f} us off"
    said = ", ".join(f"{name} {report[name]}" for name in _SHOWN if name in report)
    return f"at {after_s:+.2f} s: {clock}, {report['state']}, {said}"


def _stalls() -> list[tuple[float, float]]:
    """Until when boards were kept from running, and for how long, in us."""
    path = os.environ.get(STALLS)
    if not path:
        return []
    rows = [line.split() for line in Path(path).read_text().splitlines()]
    return [(int(ended) / 1e3, int(length) / 1e3) for ended, length in rows]
