"""Each figure says what docs/measurement.md defines: shown on boards whose errors are known."""

from pathlib import Path

import numpy as np
import pytest

from tests.tools.synthetic import RATE, START_US, SyntheticBoard
from tools.measure import counter, figures
from tools.measure.align import Played, align, counter_marker
from tools.measure.canonical import Canonical
from tools.measure.figures import Belief

SECONDS = 5.0
COUNTER = Canonical(counter.counter(0, int(SECONDS * RATE) + RATE))


def played(
    folder: Path,
    name: str,
    boards: list[SyntheticBoard] | SyntheticBoard,
    seconds: float = SECONDS,
) -> Played:
    lives = boards if isinstance(boards, list) else [boards]
    files = [
        board.play(folder / f"{name}-{life}", COUNTER, seconds) for life, board in enumerate(lives)
    ]
    return align(name, files, START_US, pick="both", canonical=COUNTER, marker=counter_marker)


def steady(offset_frames: int, **more: object) -> SyntheticBoard:
    return SyntheticBoard(offset_us=offset_frames * 1e6 / RATE, trim=False, **more)  # type: ignore[arg-type]


def test_a_distribution_is_percentiles_and_the_maximum() -> None:
    values = np.arange(1.0, 1001.0)
    assert figures.distribution(values) == {
        "p50": 500.5,
        "p95": 950.0,
        "p99": 990.0,
        "max": 1000.0,
    }
    assert figures.distribution(np.zeros(0))["max"] is None


def test_two_boards_are_apart_by_the_difference_of_their_errors(tmp_path: Path) -> None:
    boards = [played(tmp_path, name, steady(n)) for name, n in (("a", 3), ("b", -2), ("c", 10))]
    pairs = figures.pairwise(boards)
    assert set(pairs) == {("a", "b"), ("a", "c"), ("b", "c")}
    for (one, other), frames in ((("a", "b"), 5), (("a", "c"), 7), (("b", "c"), 12)):
        assert np.median(pairs[one, other]) == pytest.approx(frames * 1e6 / RATE, abs=0.1)
    assert figures.true_error(boards)["max"] == pytest.approx(12e6 / RATE, abs=0.1)
    assert figures.true_error(boards)["p50"] == pytest.approx(7e6 / RATE, abs=0.1)


def test_a_board_that_is_not_heard_has_no_error_there(tmp_path: Path) -> None:
    board = played(tmp_path, "a", steady(0, empty=[(200, 100)]))
    before, inside, after = 100 * 256, 230 * 256, 400 * 256
    errors = figures.errors_at(board, np.array([-5000, before, inside, after, 10**8]))
    assert np.isnan(errors).tolist() == [True, False, True, False, True]


def test_the_error_between_blocks_is_interpolated_along_the_crystal(tmp_path: Path) -> None:
    board = played(tmp_path, "a", SyntheticBoard(ppm=-40.0, trim=False))
    frames = np.array([48000, 48000 + 24000])
    early, late = figures.errors_at(board, frames)
    assert late - early == pytest.approx(0.5 * 40.0, abs=0.05)


def test_the_start_spreads_from_the_first_board_to_the_last(tmp_path: Path) -> None:
    boards = [played(tmp_path, name, steady(n)) for name, n in (("a", 0), ("b", 48), ("c", -24))]
    begun = figures.start(boards, START_US - 300_000)
    assert begun.spread_us == pytest.approx(1500.0, abs=0.1)
    assert begun.command_to_sound_ms == pytest.approx(301.0, abs=0.01)
    assert begun.late_frames == 0


def test_a_board_that_never_sounds_leaves_the_start_without_figures(tmp_path: Path) -> None:
    silent = played(tmp_path, "b", steady(0, empty=[(0, 10_000)]))
    begun = figures.start([played(tmp_path, "a", steady(0)), silent], START_US)
    assert begun.spread_us is None
    assert begun.command_to_sound_ms is None


def test_belief_is_compared_with_the_truth_of_the_same_instant(tmp_path: Path) -> None:
    board = played(tmp_path, "a", SyntheticBoard(ppm=-40.0, trim=False))
    at_us = [START_US + 1_000_000, START_US + 2_000_000]
    beliefs = [Belief(at_us[0], 40), Belief(at_us[1], 100), Belief(START_US - 10_000_000, 5000)]
    gaps = figures.belief_gaps(board, beliefs)
    # 40 ppm slow: 40 us later after 1 s and 80 us after 2 s; the third was made before the music
    begin_us = float(board.error_us[0])
    assert gaps == pytest.approx([abs(begin_us), abs(begin_us - 20.0)], abs=0.3)


def test_a_board_rejoins_with_its_first_lasting_sound_in_time(tmp_path: Path) -> None:
    first = steady(0, empty=[(300, 10_000)])
    wild = steady(0, empty=[(0, 400)], jumps={20: 500, 450: -500})
    board = played(tmp_path, "a", [first, wild])
    again = next(s for s in board.stretches if s.boot == 1)
    restart_us = START_US + 1_500_000
    begins_us = START_US - 100_000 + 450 * 256 * 1e6 / RATE
    assert again.descriptor[0] == 400
    wanted = (begins_us - restart_us) / 1e6
    assert figures.rejoin_s(board, restart_us, 1) == pytest.approx(wanted, abs=0.001)
    assert figures.rejoin_s(board, restart_us, 2) is None


def test_a_board_that_stays_wrong_never_rejoins(tmp_path: Path) -> None:
    board = played(tmp_path, "a", steady(100))
    assert figures.rejoin_s(board, START_US, 0) is None


def test_a_leak_lifts_the_last_quarter_and_messages_do_not() -> None:
    breathing = [1000, 1400, 1100, 1390] * 10
    assert figures.growth(breathing) == 0
    leaking = [value + 10 * n for n, value in enumerate(breathing)]
    assert (figures.growth(leaking) or 0) > 250
    assert figures.growth([1, 2, 3]) is None
