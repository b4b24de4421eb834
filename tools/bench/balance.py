"""`phantom bench balance`: all experiments of load balancing, with enough requests and seeds.

Runs what `phantom balance experiment all` runs, for longer, draws each, and says whether the
balancer does what it is to do.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from typing import Any

from storagebox.balance.experiment.experiment import Experiment
from storagebox.balance.experiment.experiments import EXPERIMENTS
from storagebox.balance.experiment.plots import plot
from storagebox.balance.experiment.running import processes
from storagebox.balance.experiment.running import run as run_experiment
from tools.bench import balance_cost, results
from tools.bench.balance_goals import goals
from tools.bench.command import command
from tools.bench.steps import Steps
from tools.demo.arguments import Parser, count

Json = Mapping[str, Any]

METHOD = (
    "Simulated: the balancer's own policies, health and retries with simulated time; Poisson "
    "arrivals, lognormal work, servers that work first in, first out. The first fifth of each run "
    "is left out. Figures are means over seeds with least and greatest; all contenders of a seed "
    "get the same requests, each in a run of its own. `sockets` is not simulated: httpx clients "
    "and server processes on loopback, beside a simulation of the same requests. Costs are by "
    "processor time, of the fastest of five lots of 4,096."
)


_FEWEST_REQUESTS = 1000


class BalanceError(RuntimeError):
    """The bench can't be run as asked."""


def main(arguments: Sequence[str]) -> int:
    """`phantom bench balance`; returns the exit status: 2 if it can't be run as asked."""
    parser = Parser(prog="phantom bench balance", description=__doc__)
    add = parser.add_argument
    add("--json", action="store_true", help="print nothing but the JSON line")
    add("--seeds", type=count, default=3, help="of each run (default: 3)")
    add(
        "--requests", type=_requests, help="of each run; default: as many as each experiment needs"
    )
    add("--only", metavar="NAME", action="append", help="this experiment; may be repeated")
    return command("balance", parser, arguments, _run, _summary, (BalanceError,))


def _requests(text: str) -> int:
    if not text.isdecimal() or int(text) < _FEWEST_REQUESTS:
        raise ArgumentTypeError(f"{text!r} is no number of {_FEWEST_REQUESTS} or more")
    return int(text)


def _run(options: Mapping[str, Any]) -> dict[str, Any]:
    return run(options["seeds"], options["requests"], options["only"])


def run(
    seeds: int, requests: int | None = None, only: Sequence[str] | None = None
) -> dict[str, Any]:
    """All figures; `only` these experiments, if given.

    Eight to eleven minutes on two busy processors.
    """
    chosen = [_experiment(name) for name in only or EXPERIMENTS]
    done: list[dict[str, Any]] = []
    plots: list[str] = []
    with Steps() as steps, processes() as pool:
        for experiment in chosen:
            steps.next(experiment.name)
            done.append(
                run_experiment(
                    experiment,
                    seeds,
                    requests or experiment.full_requests,
                    lambda at, of, what: steps.say(f"{at} of {of}  {what}"),
                    pool,
                )
            )
            path = results.folder() / f"balance-{experiment.name}.png"
            plot(experiment, done[-1], path)
            plots.append(str(path))
        costs: dict[str, Any] = {}
        if only is None:
            steps.next("cost")
            costs = balance_cost.cost()
    return {
        "bench": "balance",
        "seeds": seeds,
        "method": METHOD,
        "goals": [*goals(done), *(balance_cost.goals(costs) if costs else ())],
        "experiments": done,
        "cost": costs,
        "plots": plots,
    }


def _experiment(name: str) -> Experiment:
    if name not in EXPERIMENTS:
        raise BalanceError(f"no experiment {name!r}: choose from {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]


def _summary(result: Json) -> str:
    lines: list[str] = []
    for experiment in result["experiments"]:
        lines.append(f"{experiment['experiment']}: {experiment['question']}")
        for case in experiment["cases"]:
            lines.append(f"  {case['label']}")
            lines += [_row(row) for row in case["rows"]]
    if result["cost"]:
        sizes = ", ".join(f"{size:,}" for size in balance_cost.SIZES)
        lines.append(f"cost: thousands a second of a core, among {sizes} servers")
        lines += [
            f"    {name:<30}"
            + "  ".join(f"{what} {_rates(rates)}" for what, rates in each.items())
            for name, each in result["cost"].items()
        ]
    lines += ["", "goals"]
    for goal in result["goals"]:
        lines.append(f"  {'met' if goal['met'] else 'MISSED':<8}{goal['goal']}: {goal['found']}")
    return "\n".join([*lines, *(f"plot {path}" for path in result["plots"])])


def _rates(rates: Mapping[str, float]) -> str:
    return " ".join(f"{rate / 1000:,.0f}" for rate in rates.values())


_TOLD = {
    "max_over_mean": "max/mean",
    "p50": "p50",
    "p99": "p99",
    "p999": "p99.9",
    "late": "late",
    "failed": "failed",
    "connections": "conns",
    "hits": "hits",
    "join": "join",
    "leave": "leave",
}


def _row(row: Json) -> str:
    figures = row["figures"]
    told = [
        f"{heading} {figures[name]['mean']:,.4g}"
        for name, heading in _TOLD.items()
        if name in figures
    ]
    return f"    {row['policy']:<30}{'  '.join(told)}"
