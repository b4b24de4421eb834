"""The emulated house's plan, and command lines whose every mistake is one line and status 2."""

from pathlib import Path

import pytest

from tools.bench import start, sync
from tools.demo import main, plan
from tools.demo.terms import TERMS, terms_of


def test_the_demo_has_three_rooms_one_of_them_a_stereo_pair() -> None:
    house = plan.home("127.77.0", seed=1)
    picks = [(board.room, board.pick) for board in house]
    assert picks[:2] == [("Kitchen", "both"), ("Bedroom", "mono")]
    assert picks[2:] == [("Living room", "left"), ("Living room", "right")]
    assert plan.pairs(house) == [("living-left", "living-right", "Living room")]


def test_crystals_are_spread_evenly_over_the_whole_range_and_by_seed() -> None:
    ppm = plan.crystals(5, 40.0, seed=1)
    assert sorted(ppm) == [-40, -20, 0, 20, 40]
    assert ppm == plan.crystals(5, 40.0, seed=1)
    assert any(plan.crystals(5, 40.0, seed) != ppm for seed in (2, 3, 4))
    assert plan.crystals(3, 0.0, seed=1) == [0, 0, 0]


def test_a_bench_has_as_many_boards_as_asked_for_each_with_its_own_address() -> None:
    boards = plan.row(12, "10.77.0", seed=1, spread_ppm=40)
    assert len({board.address for board in boards}) == len({board.id for board in boards}) == 12
    assert [board.id for board in plan.row(2, "10.77.0", 1, 40)] == ["kitchen", "bedroom"]
    with pytest.raises(ValueError, match="1 to 64"):
        plan.row(0, "10.77.0", 1, 40)


def test_every_networks_lead_covers_its_stalls() -> None:
    assert TERMS["wifi"].lead_ms > 300
    assert TERMS["bad-wifi"].lead_ms > 600
    assert terms_of("wired", lead_ms=100, codec="ima-adpcm").lead_ms == 100


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--seconds", "soon"], "'soon' is no number of seconds"),
        (["--seconds", "-3"], "is no number of seconds"),
        (["--seconds", "nan"], "is no number of seconds"),
        (["--profile", "dsl"], "invalid choice: 'dsl'"),
        (["--subnet", "10.0.0"], "'10.0.0' is not like 127.77.0"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_a_wrong_option_is_one_line_and_status_2(
    arguments: list[str], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (main, sync.main, start.main):
        if command is start.main and "--seconds" in arguments:
            continue
        assert command(arguments) == 2
        line = capsys.readouterr().err
        assert fault in line
        assert line.count("\n") == 1


def test_a_missing_path_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--music", str(tmp_path / "nowhere")]) == 2
    line = capsys.readouterr().err
    assert "nowhere: no such file or folder" in line
    assert line.count("\n") == 1


def test_an_empty_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--music", str(tmp_path)]) == 2
    line = capsys.readouterr().err
    assert f"{tmp_path}: no audio files in this folder" in line
    assert line.count("\n") == 1
