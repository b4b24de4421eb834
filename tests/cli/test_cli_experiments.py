"""`phantom balance experiment`: what it prints, draws and refuses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from storagebox.cli.commands import app

TIMED = False
QUICK = ("connections", "--seeds", "1", "--requests", "1000")


def experiment(*arguments: str) -> Result:
    return CliRunner().invoke(
        app, ["balance", "experiment", *arguments], prog_name="phantom", catch_exceptions=False
    )


def test_json_is_one_object_on_one_line():
    printed = experiment(*QUICK, "--json")
    assert printed.exit_code == 0
    (line,) = printed.stdout.splitlines()
    result = json.loads(line)
    assert result["experiment"] == "connections"
    assert result["seeds"] == 1
    assert all(row["figures"]["connections"]["mean"] > 0 for row in result["cases"][0]["rows"])


def test_a_table_and_the_plot_that_was_asked_for(tmp_path: Path):
    printed = experiment(*QUICK, "--plot", str(tmp_path / "it.png"))
    assert printed.exit_code == 0
    assert "Rocksteadier" in printed.stdout
    assert (tmp_path / "it.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chaos",), "no experiment 'chaos': choose arc, policies"),
        (("arc", "--plot", "it.svg"), "give a name that ends in .png"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: tuple[str, ...], said: str):
    refused = experiment(*arguments)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
