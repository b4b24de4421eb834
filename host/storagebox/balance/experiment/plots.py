"""Experiments as pictures: a panel a figure, a point a policy, a line from least to greatest."""

# Matplotlib's own hints leave keyword arguments untyped.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from storagebox.balance.experiment.experiment import Experiment

Json = Mapping[str, Any]

# Okabe and Ito's colours, told apart by any eye.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
INK = "#222222"
FAINT = "#8a8a8a"

_PANELS = {
    "max_over_mean": "utilisation, busiest server / mean",
    "p99": "p99, mean service times",
    "p999": "p99.9, mean service times",
    "failed": "requests that failed",
    "late": "requests without an answer at the deadline",
    "outage_s": "longest time without any answer, s",
    "hits": "share of requests whose key was cached",
    "most": "connections, busiest server / mean",
    "leave": "share of connections replaced when a server leaves",
}
_WIDE = 5.0  # a ratio of values that only a logarithm shows
_MANY = 20.0  # the same, where some are 0
_TWO_DIGITS = 10.0  # below this, two digits behind the point


def plot(experiment: Experiment, result: Json, path: Path) -> None:
    """Writes the picture as PNG, 1600 pixels wide; needs no display."""
    figure = ramp(experiment, result) if experiment.ramp else points(experiment, result)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def points(experiment: Experiment, result: Json) -> Figure:
    """A row of panels for each case, one for each figure."""
    cases: Sequence[Json] = result["cases"]
    figures = experiment.panels
    heights = [len(case["rows"]) + 1.6 for case in cases]
    figure = Figure(
        figsize=(12.8, 1.2 + 0.34 * sum(heights)),
        dpi=125,
        facecolor="white",
        layout="constrained",
    )
    title = {"fontsize": 15, "fontweight": "bold", "color": INK}
    figure.suptitle(experiment.question, x=0.012, ha="left", **title)
    grid = figure.subplots(
        len(cases), len(figures), squeeze=False, sharey="row", sharex="col", height_ratios=heights
    )
    for row, case in zip(grid, cases, strict=True):
        for axes, name in zip(row, figures, strict=True):
            _panel(axes, case, name)
        row[0].set_title(case["label"], loc="left", fontsize=11, color=INK)
    for axes, name in zip(grid[-1], figures, strict=True):
        axes.set_xlabel(_PANELS[name], color=INK)
        _scale(axes, [value for case in cases for value in _means(case, name)], name)
    return figure


def ramp(experiment: Experiment, result: Json) -> Figure:
    """A panel a figure, a line a policy, over what the cases' numbers are."""
    figure = Figure(figsize=(12.8, 5.6), dpi=125, facecolor="white", layout="constrained")
    title = {"fontsize": 15, "fontweight": "bold", "color": INK}
    figure.suptitle(experiment.question, x=0.012, ha="left", **title)
    cases: Sequence[Json] = result["cases"]
    panels = figure.subplots(1, len(experiment.panels), squeeze=False)[0]
    for axes, name in zip(panels, experiment.panels, strict=True):
        for at, row in enumerate(cases[0]["rows"]):
            spreads = [case["rows"][at]["figures"][name] for case in cases]
            colour = COLOURS[at % len(COLOURS)]
            means = [spread["mean"] for spread in spreads]
            low, high = ([spread[end] for spread in spreads] for end in ("min", "max"))
            axes.plot(
                experiment.ramp, means, "o-", color=colour, markersize=4.5, label=row["policy"]
            )
            axes.fill_between(experiment.ramp, low, high, color=colour, alpha=0.18, linewidth=0)
        _deadline(axes, cases[0]["setting"], name)
        axes.set_ylim(bottom=0)
        axes.set_xticks(experiment.ramp)
        axes.set_xlabel("load, share of the allocation", color=INK)
        axes.set_ylabel(_PANELS[name], color=INK)
        dress(axes, grid="y")
    lines, policies = panels[0].get_legend_handles_labels()
    figure.legend(lines, policies, loc="outside lower center", ncols=4, frameon=False, fontsize=10)
    return figure


def _deadline(axes: Axes, setting: Json, name: str) -> None:
    if name.startswith("p9"):
        at = setting["deadline_s"] / setting["service_s"]
        axes.axhline(at, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.annotate(
            f"deadline, {setting['deadline_s']:g} s",
            (0.01, at),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            fontsize=9,
            color=INK,
        )


def _panel(axes: Axes, case: Json, name: str) -> None:
    rows = case["rows"]
    for at, row in enumerate(rows):
        spread = row["figures"].get(name)
        if spread is None:
            continue
        colour = COLOURS[at % len(COLOURS)]
        axes.plot([spread["min"], spread["max"]], [at, at], color=colour, linewidth=2.2, alpha=0.5)
        axes.plot([spread["mean"]], [at], "o", color=colour, markersize=7)
        axes.annotate(
            _label(spread["mean"]),
            (spread["max"], at),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=INK,
        )
    axes.set_yticks(range(len(rows)), [row["policy"] for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    dress(axes)


def _label(value: float) -> str:
    return f"{value:,.2f}" if value < _TWO_DIGITS and value % 1 else f"{value:,.0f}"


def _scale(axes: Axes, values: Sequence[float], name: str) -> None:
    if name == "max_over_mean":
        axes.set_xlim(left=1.0)
    elif min(values) > 0 and max(values) > _WIDE * min(values):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(FuncFormatter(_two_or_five))
    elif max(values) > _MANY and min(values) == 0:
        axes.set_xscale("symlog", linthresh=1.0)
        axes.set_xlim(left=0.0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.set_xlim(left=0.0)
    axes.margins(x=0.12)


def _two_or_five(value: float, _: int) -> str:
    """Of the ticks between powers of ten, the two that have room for a label."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""


def _means(case: Json, name: str) -> list[float]:
    return [row["figures"][name]["mean"] for row in case["rows"] if name in row["figures"]]


def dress(axes: Axes, grid: Literal["x", "y"] = "x") -> None:
    """The looks that all these plots have."""
    axes.grid(True, axis=grid, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9)
