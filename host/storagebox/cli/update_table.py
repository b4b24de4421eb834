"""An update as people see it: a table that lives in a terminal, a line for each step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

Json = Mapping[str, Any]

# What a row's state (`coordinator.updates.job`) is called, and its colour.
STATES = {
    "pending": ("", "dim"),
    "idle": ("", ""),
    "asking": ("asks what it has", "cyan"),
    "receiving": ("sending", "cyan"),
    "waiting": ("waits for the music to pause", "yellow"),
    "writing": ("writing", "cyan"),
    "ready": ("ready", "cyan"),
    "lost": ("lost, waiting for it", "yellow"),
    "restarting": ("restarting", "cyan"),
    "trial": ("on trial", "cyan"),
    "proven": ("plays in time, keeps it once the music pauses", "green"),
    "rolled-back": ("goes back", "red"),
    "confirmed": ("confirmed", "green"),
    "done": ("updated", "green"),
    "current": ("has it", "green"),
    "skipped": ("skipped", "yellow"),
    "failed": ("failed", "bold red"),
    "held": ("not begun", "yellow"),
    "cancelled": ("cancelled", "yellow"),
}


def said(row: Json) -> str:
    """A row's state in words."""
    words, _ = STATES.get(row["state"], (str(row["state"]), ""))
    if row["state"] in ("receiving", "writing", "waiting") and row["of"]:
        words += f", {row['done'] * 100 // row['of']} %"
    if row["reason"]:
        words += f": {row['reason']}"
    if row["left"]:
        words += f" ({row['left']})"
    return words


def table(job: Json) -> Table:
    """All rows."""
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("room", "device", "from", "to", "state"):
        grid.add_column(name, overflow="fold", no_wrap=name != "state")
    for row in job["boards"]:
        _, style = STATES.get(row["state"], ("", ""))
        grid.add_row(
            Text(row["room"], style="bold"),
            row["device"],
            row["before"],
            row["version"],
            Text(said(row), style=style),
        )
    return grid


class Shown:
    """Use as a context manager; `show` each look at the job."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(highlight=False, markup=False)
        self._live: Live | None = None
        self._told: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._live = live = Live(console=self._console, auto_refresh=False)
            try:
                live.start()
            except BaseException:  # Ctrl-C: give the cursor back
                live.stop()
                raise
        return self

    def __exit__(self, *exc: Any) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, job: Json) -> None:
        """The job as it is now."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(table(job), refresh=True)
            return
        for row in job["boards"]:
            words = said({**row, "of": 0})  # no line for each per cent
            if words and self._told.get(row["device"]) != words:
                self._told[row["device"]] = words
                print(f"{row['room'] or row['device']}: {words}", flush=True)

    def note(self, text: str) -> None:
        """A line beside the table."""
        if self._live is not None:
            self._live.console.print(text)
        else:
            print(text, file=sys.stderr)
