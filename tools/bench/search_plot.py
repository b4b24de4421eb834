"""How long searches take, as a picture: of all queries, and letter by letter."""

# Matplotlib's own hints leave keyword arguments untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tools.measure.plot import COLOURS, FAINT, INK, dress

_MARKS = (50, 99)


def plot(
    times_s: Mapping[str, Sequence[float]], by_key_s: Sequence[Sequence[float]], path: Path
) -> None:
    """Writes the picture as PNG, 1600 x 750 pixels; `by_key_s` are the n-th letters' times."""
    figure = Figure(figsize=(12.8, 6.0), dpi=125, facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2)
    title = {"fontsize": 15, "fontweight": "bold", "color": INK}
    figure.suptitle("How long searches take", x=0.012, ha="left", **title)
    _shares(left, times_s)
    _letters(right, by_key_s)
    for axes in (left, right):
        dress(axes)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _shares(axes: Axes, times_s: Mapping[str, Sequence[float]]) -> None:
    for colour, (name, each) in zip(COLOURS, times_s.items(), strict=False):
        times_ms = np.sort(np.asarray(each)) * 1000
        shares = 100 * np.arange(1, len(times_ms) + 1) / len(times_ms)
        axes.plot(times_ms, shares, color=colour, linewidth=1.6, label=name)
    for mark in _MARKS:
        axes.axhline(mark, color=FAINT, linewidth=0.6, linestyle=":")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(0, 100.5)
    axes.set_yticks([0, 25, 75, *_MARKS])
    axes.set_xlabel("answered within, ms", color=INK)
    axes.set_ylabel("% of queries, in the engine", color=INK)
    if times_s:
        axes.legend(loc="lower right", frameon=False, fontsize=10)


def _letters(axes: Axes, by_key_s: Sequence[Sequence[float]]) -> None:
    letters = np.arange(1, len(by_key_s) + 1)
    for colour, percent in zip(COLOURS, (99, 90, 50), strict=False):
        times_ms = [1000 * float(np.percentile(each, percent)) for each in by_key_s]
        axes.plot(letters, times_ms, color=colour, marker="o", markersize=4, label=f"p{percent}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("letters typed to find a package of apt", color=INK)
    axes.set_ylabel("ms a keystroke", color=INK)
    if by_key_s:
        axes.legend(loc="upper right", frameon=False, fontsize=10)
