"""What needs no house: `demo` and `bench`, of the project's `tools`."""

from __future__ import annotations

import importlib

import typer

from .app import TRY, Commands, app
from .ending import fail, interrupted

bench_app = typer.Typer(
    cls=Commands,
    help="Measure. Each prints one JSON object as its last line and writes build/bench/NAME.json.",
    no_args_is_help=True,
)
app.add_typer(bench_app, name="bench", rich_help_panel=TRY)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
    rich_help_panel=TRY,
)
def demo(context: typer.Context) -> None:
    """Play in four emulated rooms on this machine; `phantom demo --help` tells more."""
    run_tool("tools.demo", context.args)


def _bench(name: str) -> None:
    @bench_app.command(
        name,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
        help=_BENCHES[name],
    )
    def run(context: typer.Context) -> None:  # pyright: ignore[reportUnusedFunction]
        run_tool(f"tools.bench.{name.replace('-', '_')}", context.args)


_BENCHES = {
    "sync": "True error between emulated boards over minutes of music.",
    "start": "How closely all rooms start, and how long after the command.",
    "streamer": "How many devices one core of the box feeds.",
    "discovery": "How soon a house knows who is there, who died, who left and who moved.",
    "library": "Whether music is disturbed while the box reads a music folder, and is searched.",
    "control": "How soon boards answer, obey and tell: idle, with music, amid an upload.",
    "flash": "How long flashing takes, and how soon a board that was reset is back in the music.",
    "search": "How fast searches are: tracks, apt's packages letter by letter, over HTTP.",
    "balance": "How evenly and how fast clients spread their load, simulated and on sockets.",
    "balance-faults": "What clients lose while one of three servers dies, hangs or fails.",
    "dsp": "What the firmware's kernels cost on an ESP32, counted and modelled.",
}
for _name in _BENCHES:
    _bench(_name)


def run_tool(module: str, arguments: list[str]) -> None:
    """Hand the command line on to main(arguments) of a module of `tools`; its result is ours."""
    try:
        main_of = importlib.import_module(module).main
    except ModuleNotFoundError as fault:
        fail(f"{fault.name} is not installed: run this from the project's folder, after `make`")
    try:
        raise typer.Exit(main_of(arguments) or 0)
    except KeyboardInterrupt:
        interrupted(f"{' '.join(module.split('.')[1:])}: interrupted")
