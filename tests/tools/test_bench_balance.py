"""The bench of load balancing: goals are held against figures, whichever way they turn out."""

from typing import Any

import pytest

from tools.bench import balance
from tools.bench.balance_goals import goals


def case(label: str, **policies: dict[str, float]) -> dict[str, Any]:
    return {
        "label": label,
        "rows": [
            {
                "policy": name.replace("__", ", ").replace("_", " "),
                "figures": {figure: {"mean": value} for figure, value in figures.items()},
            }
            for name, figures in policies.items()
        ],
    }


def unequal(p99: float, evenness: float) -> list[dict[str, Any]]:
    figures = {"p99": p99, "max_over_mean": evenness}
    cases = [case("4 of 12 servers half as fast", least_expected_wait=figures)]
    return [{"experiment": "policies", "cases": cases}]


@pytest.mark.parametrize(
    ("p99", "evenness", "met"), [(8.4, 1.09, True), (8.7, 1.09, False), (8.4, 1.2, False)]
)
def test_a_goal_is_met_by_figures_that_reach_it(p99: float, evenness: float, met: bool):
    (goal,) = goals(unequal(p99, evenness))
    assert goal["met"] is met
    assert f"{p99:.2f}" in goal["found"]


def test_an_experiment_nobody_knows_ends_the_bench(capsys: pytest.CaptureFixture[str]):
    assert balance.main(["--only", "chaos"]) == 2
    assert "no experiment 'chaos'" in capsys.readouterr().err


def test_the_bench_tells_every_policy_and_whether_goals_are_met(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path_factory.mktemp("bench")
    monkeypatch.setattr(balance.results, "folder", lambda: folder)
    result = balance.run(1, 1000, ["connections"])
    assert result["goals"] == []
    (experiment,) = result["experiments"]
    assert len(experiment["cases"][0]["rows"]) == 7
    assert (folder / "balance-connections.png").exists()
