"""What people see of a job: a line a step, with its percentage while it lasts.

On a terminal the line of the step at work is alive; elsewhere a line appears once it is done.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

_TITLE_WIDTH = 12
_BAR_CELLS = 24


class Step:
    """One step at work: `say` what it does now, `reach` a fraction, and what it came to."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""
        self.fraction: float | None = None
        self.mark = "…"

    def say(self, detail: str) -> None:
        """What it is at, or when it ends, what came of it."""
        self.detail = detail

    def reach(self, fraction: float, detail: str | None = None) -> None:
        """How far it is, 0 to 1."""
        self.fraction = min(max(fraction, 0.0), 1.0)
        if detail is not None:
            self.detail = detail

    def __rich__(self) -> Table:
        """The line as it is now."""
        row = Table.grid(padding=(0, 1, 0, 0))
        row.add_column(width=1)
        row.add_column(width=_TITLE_WIDTH, no_wrap=True)
        row.add_column(overflow="ellipsis", no_wrap=True)
        style = {"✓": "green", "✗": "bold red"}.get(self.mark, "cyan")
        text = Text(self.detail)
        if self.fraction is not None and self.mark == "…":
            cells = round(self.fraction * _BAR_CELLS)
            text = Text.assemble(
                f"{self.fraction:4.0%} ",
                ("━" * cells, "cyan"),
                ("━" * (_BAR_CELLS - cells), "dim"),
                f" {self.detail}",
            )
        row.add_row(Text(self.mark, style=style), Text(self.title), text)
        return row


class Steps:
    """Shows steps one after another; nothing at all if not `shown`."""

    def __init__(self, shown: bool = True, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False)
        self._shown = shown

    @contextmanager
    def step(self, title: str) -> Generator[Step, None, None]:
        """Show a step from its start to its end, whichever way it ends."""
        step = Step(title)
        if self._shown and self._console.is_terminal:
            live = Live(step, console=self._console, refresh_per_second=8)
            try:  # not `with`: Ctrl-C amid its start must give the cursor back, too
                live.start()
                yield from self._kept(step)
            finally:
                live.stop()
            return
        try:
            yield from self._kept(step)
        finally:
            self.note(f"{step.mark} {title:<{_TITLE_WIDTH}} {step.detail}".rstrip())

    def note(self, text: str) -> None:
        """A line that belongs to no step."""
        if self._shown:
            self._console.print(text, soft_wrap=True)

    def _kept(self, step: Step) -> Generator[Step, None, None]:
        try:
            yield step
        except BaseException as fault:
            step.mark = "✗"
            step.detail = "interrupted" if isinstance(fault, KeyboardInterrupt) else "failed"
            raise
        step.mark = "✓"
