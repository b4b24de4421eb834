"""Experiments as people see them: tables of 80 columns, plots, JSON that any program reads."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from storagebox.balance.experiment import contenders as by
from storagebox.balance.experiment.experiment import Case, Column, Experiment, Simulated
from storagebox.balance.experiment.experiments import EXPERIMENTS
from storagebox.balance.experiment.neighbours import LOADS
from storagebox.balance.experiment.plots import plot
from storagebox.balance.experiment.running import run
from storagebox.balance.experiment.scenario import Scenario
from storagebox.balance.experiment.summary import over_seeds
from storagebox.balance.experiment.tables import tables


def made_up(experiment: Experiment) -> dict[str, Any]:
    """A result with long but likely numbers."""
    wide = {"p99", "p999", "failed", "late"}
    figures = {
        column.figure: {"mean": 1234.5, "min": 987.6, "max": 1456.7}
        if column.figure in wide
        else {"mean": 1.234, "min": 1.123, "max": 1.345}
        for column in experiment.columns
    }
    return {
        "seeds": 3,
        "requests": 60_000,
        "cases": [
            {
                "label": case.label,
                "setting": {"deadline_s": 5.0, "service_s": 0.1},
                "rows": [{"policy": name, "figures": figures} for name in case.measured.names],
            }
            for case in experiment.cases
        ],
    }


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_tables_fit_80_columns(name: str):
    experiment = EXPERIMENTS[name]
    written = io.StringIO()
    console = Console(file=written, width=80)
    console.print(*tables(experiment, made_up(experiment)))
    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    for case in experiment.cases:
        for policy in case.measured.names:
            assert any(line.startswith(policy) for line in lines), f"{policy} is whole"
    assert not any("…" in line for line in lines), "no number is cut"


@pytest.mark.parametrize("name", ["arc", "antagonists"])
def test_a_plot_is_a_png(name: str, tmp_path: Path):
    experiment = EXPERIMENTS[name]
    plot(experiment, made_up(experiment) | {"ramp": LOADS}, tmp_path / "in a folder" / "it.png")
    assert (tmp_path / "in a folder" / "it.png").read_bytes().startswith(b"\x89PNG")


def test_a_result_has_every_policy_with_its_spread_and_is_json(monkeypatch: pytest.MonkeyPatch):
    scenario = Scenario(clients=3, speeds=(1.0, 1.0))
    experiment = Experiment(
        "small",
        "Is it there?",
        (Case("two servers", Simulated(scenario, (by.ROUND_ROBIN, by.TWO_IN_FLIGHT))),),
        (Column("p99", "p99"),),
        alone=True,
    )
    monkeypatch.setitem(EXPERIMENTS, "small", experiment)
    told: list[tuple[int, int]] = []
    result = run(experiment, 2, 1000, lambda done, total, _: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    read = json.loads(json.dumps(result, allow_nan=False))
    (case,) = read["cases"]
    assert [row["policy"] for row in case["rows"]] == ["full-mesh RR", "P2C, own in-flight"]
    p99 = case["rows"][0]["figures"]["p99"]
    assert p99["min"] <= p99["mean"] <= p99["max"]
    assert p99["min"] < p99["max"], "two seeds are two runs"
    assert run(replace(experiment), 2, 1000) == result, "the same seeds, the same result"


def test_what_no_run_could_tell_is_left_out():
    nan, inf = float("nan"), float("inf")
    assert over_seeds(
        [{"p99": nan, "gap": inf, "hits": 1.0}, {"p99": 2.0, "gap": inf, "hits": 3.0}]
    ) == {
        "p99": {"mean": 2.0, "min": 2.0, "max": 2.0},
        "hits": {"mean": 2.0, "min": 1.0, "max": 3.0},
    }
