"""A run as one picture: each board's true error over time, and how far apart the house was."""

# Matplotlib's own hints leave keyword arguments untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from tools.measure import figures
from tools.measure.align import Played
from tools.measure.report import Measured

# Okabe and Ito's colours, told apart by any eye.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
INK = "#222222"
FAINT = "#8a8a8a"
_ALARM = "#c1121f"
_HALO = [withStroke(linewidth=3, foreground="white")]
_FRAME_US = 1e6 / 48000
# The axis shows this share of the values; what lies beyond is told in words, not by a flat line.
_SHOWN_PERCENT = 99.9
_MAX_POINTS = 6000

Floats = npt.NDArray[np.float64]


def plot(measured: Measured, path: Path, title: str) -> None:
    """Writes the picture as PNG, 1600 x 1000 pixels; needs no display."""
    figure = Figure(figsize=(12.8, 8.0), dpi=125, facecolor="white", layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    figure.suptitle(title, x=0.012, ha="left", fontsize=15, fontweight="bold", color=INK)
    _errors(top, measured)
    _spread(bottom, measured)
    _marks(top, measured)
    for axes in (top, bottom):
        dress(axes)
    bottom.set_xlabel("seconds since the stream's start", color=INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _seconds(measured: Measured, time_ns: Floats) -> Floats:
    return (time_ns - measured.run.start_us * 1e3) / 1e9


def _errors(axes: Axes, measured: Measured) -> None:
    for number, (board, played) in enumerate(
        zip(measured.run.boards, measured.played, strict=True)
    ):
        colour = COLOURS[number % len(COLOURS)]
        label = f"{board.board}  {board.ppm:+.1f} ppm"
        times, errors = _broken(played, measured)
        axes.plot(times, errors, color=colour, linewidth=0.9, alpha=0.9, label=label)
    everything = [played.error_us for played in measured.played if played.error_us.size]
    _limit(axes, np.concatenate(everything) if everything else np.zeros(0), symmetric=True)
    axes.axhspan(-_FRAME_US / 2, _FRAME_US / 2, color="#000000", alpha=0.05, linewidth=0)
    axes.axhline(0.0, color=FAINT, linewidth=0.7)
    axes.set_ylabel(
        "true error against house time, µs\n(late is positive; band: one frame)", color=INK
    )
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=4,
        frameon=False,
        fontsize=10,
        borderaxespad=0.2,
    )


def _broken(played: Played, measured: Measured) -> tuple[Floats, Floats]:
    """A board's line, thinned, with NaN where it was not heard so that gaps show as gaps."""
    stride = max(1, len(played.time_ns) // _MAX_POINTS)
    times, errors = _seconds(measured, played.time_ns), played.error_us
    gaps = np.flatnonzero(np.diff(times) > 0.05) + 1
    keep = np.unique(
        np.concatenate((np.arange(0, len(times), stride), gaps, np.maximum(gaps - 1, 0)))
    )
    keep = keep[keep < len(times)]
    breaks = np.searchsorted(keep, gaps)
    return np.insert(times[keep], breaks, np.nan), np.insert(errors[keep], breaks, np.nan)


def _limit(axes: Axes, values: Floats, *, symmetric: bool) -> None:
    if not values.size:
        axes.set_ylim(-1 if symmetric else 0, 1)
        return
    size = np.abs(values)
    shown = max(float(np.percentile(size, _SHOWN_PERCENT)) * 1.3, 1.5 * _FRAME_US)
    axes.set_ylim(-shown if symmetric else 0.0, shown)
    if size.max() > shown:
        axes.text(
            0.995,
            0.03,
            f"beyond the axis: up to {size.max():,.0f} µs",
            transform=axes.transAxes,
            ha="right",
            fontsize=9,
            color=_ALARM,
        )


def _spread(axes: Axes, measured: Measured) -> None:
    """The largest difference between any two boards at each instant."""
    grid = figures.instants(measured.played)
    if len(grid) == 0:
        return
    errors = np.stack([figures.errors_at(played, grid) for played in measured.played])
    both = np.count_nonzero(~np.isnan(errors), axis=0) > 1
    grid, errors = grid[both], errors[:, both]
    spread = np.nanmax(errors, axis=0) - np.nanmin(errors, axis=0) if len(grid) else np.zeros(0)
    stride = max(1, len(grid) // _MAX_POINTS)
    axes.fill_between(
        grid[::stride] / 48000, 0, spread[::stride], color=COLOURS[0], alpha=0.25, linewidth=0
    )
    axes.plot(grid[::stride] / 48000, spread[::stride], color=COLOURS[0], linewidth=0.8)
    _limit(axes, spread, symmetric=False)
    error = measured.report["true_error_us"]
    for name, style in (("p50", (0, (1, 2))), ("p99", (0, (5, 3)))):
        if error[name] is not None:
            axes.axhline(error[name], color=INK, linewidth=0.9, linestyle=style)
            axes.annotate(
                f"{name} of all pairs {error[name]:.1f} µs",
                (0.004, error[name]),
                xycoords=("axes fraction", "data"),
                xytext=(0, 2),
                textcoords="offset points",
                fontsize=9,
                color=INK,
                path_effects=_HALO,
            )
    axes.set_ylabel("largest difference\nbetween two boards, µs", color=INK)


def _marks(axes: Axes, measured: Measured) -> None:
    """Start, events, jumps and dropouts, named at the top of the axis."""
    run, report = measured.run, measured.report
    marks: list[tuple[float, str, str]] = []
    if report["start_spread_us"] is not None:
        marks.append((0.0, f"start, within {report['start_spread_us']:.0f} µs", INK))
    marks += [((e.time_us - run.start_us) / 1e6, e.label, INK) for e in run.events]
    for board, books in zip(run.boards, measured.accounts, strict=True):
        marks += _faults(board.board, measured, books.dropouts, "dropout")
        marks += _faults(board.board, measured, books.jumps, "jump")
    labelled = marks if len(marks) <= 24 else marks[:1]
    for seconds, label, colour in marks:
        axes.axvline(seconds, color=colour, linewidth=0.9, linestyle=(0, (4, 3)), alpha=0.7)
        if (seconds, label, colour) in labelled:
            axes.annotate(
                label,
                (seconds, 0.02),
                xycoords=("data", "axes fraction"),
                xytext=(3, 0),
                textcoords="offset points",
                rotation=90,
                va="bottom",
                fontsize=8,
                color=colour,
                path_effects=_HALO,
            )


def _faults(
    board: str, measured: Measured, faults: Any, what: str
) -> list[tuple[float, str, str]]:
    return [
        ((fault.time_ns / 1e3 - measured.run.start_us) / 1e6, f"{what}: {board}", _ALARM)
        for fault in faults
    ]


def dress(axes: Axes) -> None:
    """The looks that all our plots have."""
    axes.grid(True, axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9)
    axes.margins(x=0.01)
