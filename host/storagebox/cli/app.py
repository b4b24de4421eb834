"""The application that commands are put into: its help, and how it is run as a program."""

from __future__ import annotations

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from .ending import interrupted


@contextmanager
def _ctrl_c() -> Generator[None]:
    try:
        yield
    except KeyboardInterrupt:
        interrupted()


# The parts of the help, in its order.
PANELS = MUSIC, ROOMS, BOARDS, SERIAL, LOOK, RUN, TRY = (
    "Music",
    "Rooms",
    "Boards",
    "Boards on a serial port",
    "Look",
    "Run",
    "Try and measure",
)


class Commands(TyperGroup):
    """A group whose complaint about a command line is one line."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Panel by panel."""

        def panel(name: str) -> int:
            label = getattr(self.commands[name], "rich_help_panel", None)
            return PANELS.index(label) if label in PANELS else len(PANELS)

        return sorted(super().list_commands(ctx), key=panel)

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read the command line; Ctrl-C ends it by one line."""
        with _ctrl_c():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C ends it by one line, unless it has seen to that itself."""
        with _ctrl_c():
            return super().invoke(ctx)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; as a program, exit."""
        keywords = {"complete_var": complete_var, "windows_expand_args": windows_expand_args}
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **keywords, **extra)
        try:
            status = super().main(args, prog_name, standalone_mode=False, **keywords, **extra)
        except typer.TyperException as fault:
            if fault.format_message():  # else the help has been printed
                print(f"phantom: {_complaint(fault)}", file=sys.stderr)
            status = fault.exit_code
        sys.exit(status or 0)


def _complaint(fault: typer.TyperException) -> str:
    text = " ".join(fault.format_message().split())
    context = getattr(fault, "ctx", None)
    if context is None:
        return text
    path: str = context.command_path
    _, _, command = path.partition(" ")
    told = f"{command}: {text[:1].lower()}{text[1:]}" if command else text
    return f"{told.rstrip('.')} (see `{path} --help`)"


app = typer.Typer(
    cls=Commands,
    help="Open multi-room audio: boards anyone can build, playing in time, and a storage box.",
    epilog="Exit status: 0; 1 a failure underway; 2 bad input; 3 no box runs here; 130 Ctrl-C.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())
