"""What people see of an experiment: a table a case, 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from storagebox.balance.experiment.experiment import Column, Experiment

Json = Mapping[str, Any]
_WHOLE_FROM = 100.0
"""From here on, digits behind the point say nothing."""
_THOUSAND = 1000.0


def tables(experiment: Experiment, result: Json) -> list[RenderableType]:
    """The question, a table for each case, and what the figures are."""
    parts: list[RenderableType] = [Text(experiment.question, style="bold")]
    parts += [_table(case, experiment.columns) for case in result["cases"]]
    parts.append(Text(_legend(experiment, result), style="dim"))
    return parts


def _table(case: Json, columns: Sequence[Column]) -> Table:
    table = Table(
        title=case["label"],
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
    table.add_column("policy", no_wrap=True)
    shown = [
        column
        for column in columns
        if any(column.figure in row["figures"] for row in case["rows"])
    ]
    for column in shown:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for row in case["rows"]:
        table.add_row(row["policy"], *_cells(row["figures"], shown))
    return table


def _cells(figures: Json, columns: Iterable[Column]) -> list[str]:
    return [
        _cell(figures[column.figure], column) if column.figure in figures else ""
        for column in columns
    ]


def _cell(spread: Mapping[str, float], column: Column) -> str:
    if not column.spread:
        return _number(spread["mean"], column.form)
    mean, low, high = (_short(spread[name], column.form) for name in ("mean", "min", "max"))
    return f"{mean} {low}-{high}"


def _short(value: float, form: str) -> str:
    return f"{value / 1000:.1f}k" if value >= _THOUSAND else _number(value, form)


def _number(value: float, form: str) -> str:
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:{form}}"


def _legend(experiment: Experiment, result: Json) -> str:
    seeds = result["seeds"]
    over = f"{seeds} seeds, with least and greatest" if seeds > 1 else "one seed"
    parts = [f"{result['requests']:,} requests a run, means of {over}."]
    shown = {column.figure for column in experiment.columns}
    parts += [text for figure, text in _EXPLAINED.items() if figure in shown]
    return " ".join(parts)


_EXPLAINED = {
    "max_over_mean": "max/mean, CV: utilisation of servers.",
    "p99": "p50 to p99.9 in mean service times.",
    "late": "late: no answer at the deadline.",
    "tries": "tries: attempts a request.",
    "connections": "conns: pairs of client and server that met.",
    "least": "least, most, CV: connections a server over their mean.",
    "join": "join, leave: share of a client's connections replaced. at most: of one client.",
    "outage_s": "outage: longest time without any answer.",
}
