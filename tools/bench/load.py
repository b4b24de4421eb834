"""Projects the firmware's load on an ESP32: runs it here and counts what a board would have to do.

The shipping modules (link, jitter buffer, renderer, output, clock) run against a socket, a DAC and
a clock made for the purpose, each set-up twice: once with the kernels in the board's own machine
code, for their cycles, and once traced, for the interpreter's statements. Nothing is timed, so the
figures are the same on every machine.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from types import FrameType, SimpleNamespace
from typing import Any
from unittest import mock

from phantom.port import cpython
from phantom.wire import CHUNK_FRAMES
from tools import native
from tools.bench.one_board import PARTS, Room, Setup, Turn, follow

STATEMENT_US = 2.5  # `a += 1` on an ESP32 at 240 MHz (kdschlosser/lvgl_micropython #95)
STATEMENT_MHZ = 240
TRIM_PPM = 40  # the worst pair of crystals, 20 ppm each, against one another

# So fast that a short run has enough trimmed blocks; their share is then that of TRIM_PPM.
_RUN_PPM = 400


@dataclass(frozen=True)
class Work:
    """What something takes: cycles by kernel, and interpreter statements."""

    cycles: dict[str, float]
    statements: float

    def share_percent(self, mhz: int, period_us: float) -> float:
        """Of one core, if it comes once in `period_us`."""
        kernels_us = sum(self.cycles.values()) / mhz
        return 100 * (kernels_us + self.interpreter_us(mhz)) / period_us

    def interpreter_us(self, mhz: int) -> float:
        """Time in the interpreter, its statements alone."""
        return self.statements * STATEMENT_US * STATEMENT_MHZ / mhz


@dataclass(frozen=True)
class Load:
    """A set-up's work by block: to receive one, to play one, and to play one that is trimmed."""

    receive: Work
    plain: Work
    trimmed: Work
    trimmed_share: float

    @property
    def mean(self) -> Work:
        """Of all blocks."""
        return _sum(
            (1.0, self.receive),
            (1 - self.trimmed_share, self.plain),
            (self.trimmed_share, self.trimmed),
        )

    @property
    def worst(self) -> Work:
        """Of a block that is trimmed."""
        return _sum((1.0, self.receive), (1.0, self.trimmed))


def _sum(*parts: tuple[float, Work]) -> Work:
    cycles: Counter[str] = Counter()
    for weight, work in parts:
        cycles.update({name: weight * count for name, count in work.cycles.items()})
    return Work(
        dict(sorted(cycles.items())), sum(weight * work.statements for weight, work in parts)
    )


class Firmware:
    """The firmware's modules on CPython, with the board's machine code at hand."""

    def __init__(self) -> None:
        cpython.install()
        names = ("clock", "dsp", "exchange", "link", "output", "renderer")
        self.modules: dict[str, Any] = {
            name: importlib.import_module(f"phantom.{name}") for name in names
        }
        self.kernels = native.load(Path(self.modules["dsp"].__file__))

    def load(self, setup: Setup) -> Load:
        """The work of a block of `setup` in a room whose crystal is TRIM_PPM off."""
        cycles: dict[str, list[Counter[str]]] = {part: [] for part in PARTS}
        statements: dict[str, list[int]] = {part: [] for part in PARTS}
        for ppm in (_RUN_PPM, -_RUN_PPM):
            with self._in_machine_code() as spent:
                room = Room(self.modules, setup, ppm)
                spent.clear()
                for part in room.play():
                    cycles[part].append(Counter(spent))
                    spent.clear()
            tracer = _Tracer()
            with self._without_sound():
                for part in Room(self.modules, setup, ppm).play(tracer.count):
                    statements[part].append(tracer.take())
        receive, plain, trimmed = (
            Work(_mean(cycles[part]), fmean(statements[part])) for part in PARTS
        )
        return Load(receive, plain, trimmed, TRIM_PPM * 1e-6 * CHUNK_FRAMES)

    def clock_second(self) -> Work:
        """The work of keeping house time, per second, once the window is full."""
        tracer = _Tracer()
        follow(self.modules, tracer.count)
        with self._in_machine_code() as spent:

            def count_cycles(turn: Turn) -> None:
                spent.clear()
                turn()

            follow(self.modules, count_cycles)
        return Work(dict(spent), tracer.take())

    @contextmanager
    def _without_sound(self) -> Generator[None]:
        """Exchange the renderer's kernels for nothing: no decision of its depends on a sample."""
        dsp = SimpleNamespace(ADPCM_TABLES=self.modules["dsp"].ADPCM_TABLES)
        for kernel in self.kernels:
            setattr(dsp, kernel.name, _do_nothing)
        with mock.patch.object(self.modules["renderer"], "dsp", dsp):
            yield

    @contextmanager
    def _in_machine_code(self) -> Generator[Counter[str]]:
        """Exchange the kernels for the board's; yields their cycles so far, by name."""
        spent: Counter[str] = Counter()

        def counting(kernel: native.Kernel) -> Callable[..., int | None]:
            def call(*arguments: Any) -> int | None:
                result = kernel(*arguments)
                spent[kernel.name] += kernel.last_cost.cycles
                return result

            return call

        dsp = SimpleNamespace(ADPCM_TABLES=self.modules["dsp"].ADPCM_TABLES)
        for kernel in self.kernels:
            setattr(dsp, kernel.name, counting(kernel))
        with (
            mock.patch.object(self.modules["link"], "dsp", dsp),
            mock.patch.object(self.modules["renderer"], "dsp", dsp),
        ):
            yield spent


def _do_nothing(*_: object) -> None:
    pass


def _mean(counts: list[Counter[str]]) -> dict[str, float]:
    names = sorted({name for count in counts for name in count})
    return {name: fmean(count[name] for count in counts) for name in names}


class _Tracer:
    """Counts lines that the firmware executes and calls that it makes, kernels' insides apart."""

    def __init__(self) -> None:
        self._counted = 0
        self._folder = str(Path(cpython.__file__).parent.parent)

    def count(self, turn: Turn) -> None:
        """Run `turn` and count."""
        sys.settrace(self._trace)
        sys.setprofile(self._profile)
        try:
            turn()
        finally:
            sys.setprofile(None)
            sys.settrace(None)

    def take(self) -> int:
        """What was counted since the last time."""
        counted, self._counted = self._counted, 0
        return counted

    def _is_firmware(self, frame: FrameType | None) -> bool:
        name = frame.f_code.co_filename if frame else ""
        return name.startswith(self._folder) and not name.endswith(("dsp.py", "cpython.py"))

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not self._is_firmware(frame):
            return None
        if event == "line":
            self._counted += 1
        return self._trace

    def _profile(self, frame: FrameType, event: str, _: Any) -> None:
        caller = frame.f_back if event == "call" else frame
        if event in ("call", "c_call") and self._is_firmware(caller):
            self._counted += 1
