"""The bench of discovery: houses that start at once, and the figures that it promises."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.networks import require_network
from tools.bench import discovery, results
from tools.bench.settling import VirtualHouse

DISTRIBUTION = {"p50", "p95", "p99", "max"}


@pytest.mark.parametrize("profile", ["wifi", "bad-wifi"])
def test_a_hundred_boards_that_start_at_once_settle_within_five_seconds(profile: str) -> None:
    house = VirtualHouse(100, profile, seed=7)
    took = house.settle()
    assert took is not None
    assert took <= (5000 if profile == "wifi" else 15000)
    assert house.removed == 0


def test_the_same_seed_gives_the_same_house() -> None:
    assert [VirtualHouse(20, "wifi", seed=5).settle() for _ in range(2)] == [
        VirtualHouse(20, "wifi", seed=5).settle() for _ in range(2)
    ]


@pytest.mark.usefixtures("micropython")
def test_discovery_tells_how_soon_boards_are_listed_and_unlisted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require_network()
    monkeypatch.setattr(results, "state_folder", lambda: tmp_path)
    monkeypatch.setattr(discovery, "SIZES", (4,))
    assert discovery.main(["--boards", "2", "--runs", "1", "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert json.loads((tmp_path / "bench" / "discovery.json").read_text()) == result
    for name in ("listed_ms", "unlisted_ms", "goodbye_ms", "moved_ms"):
        assert set(result[name]) == DISTRIBUTION
        assert result[name]["max"] > 0
    assert result["settle_ms"]["4"]["unsettled"] == 0
    assert {path.name for path in (tmp_path / "bench").iterdir()} == {"discovery.json"}


def test_too_many_boards_are_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert discovery.main(["--boards", "13"]) == 2
    assert capsys.readouterr().err == ("phantom bench discovery: --boards 13: choose 2 to 12\n")
