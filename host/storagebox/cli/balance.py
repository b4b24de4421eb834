"""`phantom balance experiment`: what balancing does, in simulation or on real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .app import TRY, Commands, app
from .ending import fail
from .options import Json

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from storagebox.balance.experiment.experiment import Experiment

balance_app = typer.Typer(
    cls=Commands, help="Client-side load balancing, tried out.", no_args_is_help=True
)
app.add_typer(balance_app, name="balance", rich_help_panel=TRY)

_ALL = "all"
_MOST_SEEDS = 100
_FEWEST_REQUESTS = 1000


def _complete(begun: str) -> list[str]:
    from storagebox.balance.experiment.experiments import EXPERIMENTS

    return [name for name in (*EXPERIMENTS, _ALL) if name.startswith(begun)]


@balance_app.command()
def experiment(
    name: Annotated[
        str, typer.Argument(help="Which, or `all`.", autocompletion=_complete)
    ] = "arc",
    seeds: Annotated[int, typer.Option(help="Runs of each.", min=1, max=_MOST_SEEDS)] = 3,
    requests: Annotated[
        int | None,
        typer.Option(
            help="Of each run.", min=_FEWEST_REQUESTS, show_default="enough for a first look"
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw it: a PNG; with `all`, a folder for them.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare ways to balance: who is overloaded, how long requests take, what is lost."""
    from storagebox.balance.experiment.experiments import EXPERIMENTS
    from storagebox.balance.experiment.running import processes

    if name != _ALL and name not in EXPERIMENTS:
        fail(f"no experiment {name!r}: choose {', '.join(EXPERIMENTS)} or {_ALL}")
    if plot is not None and name != _ALL and plot.suffix.lower() != ".png":
        fail(f"--plot {plot}: only PNG can be drawn: give a name that ends in .png")
    chosen = list(EXPERIMENTS.values()) if name == _ALL else [EXPERIMENTS[name]]
    with processes() as pool:
        results = [
            _run(each, seeds, requests, pool, as_json, _path(plot, name, each)) for each in chosen
        ]
    if as_json:
        from .ask import show_json

        show_json(results[0] if name != _ALL else {"experiments": results})


def _path(plot: Path | None, name: str, one: Experiment) -> Path | None:
    return plot / f"{one.name}.png" if plot is not None and name == _ALL else plot


def _run(
    one: Experiment,
    seeds: int,
    requests: int | None,
    pool: Executor | None,
    as_json: bool,
    path: Path | None,
) -> dict[str, Any]:
    from storagebox.balance.experiment.running import run

    from .experiment_progress import progress

    with progress(one.name) as tell:
        result = run(one, seeds, requests or one.requests, tell, pool)
    if path is not None:
        from storagebox.balance.experiment.plots import plot

        try:
            plot(one, result, path)
        except OSError as fault:
            fail(f"--plot {path}: {fault.strerror}")
    if not as_json:
        from storagebox.balance.experiment.tables import tables

        from .tables import show

        show(*tables(one, result))
        print(f"plot {path}\n" if path else "")
    return result
