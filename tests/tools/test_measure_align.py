"""The measurement recovers what synthetic boards were made to do, to the very frame."""

from pathlib import Path

import numpy as np
import pytest

from tests.tools.synthetic import RATE, START_US, SyntheticBoard, music
from tools.measure import counter
from tools.measure.accounting import account, exactness
from tools.measure.align import Played, align, counter_marker
from tools.measure.canonical import Canonical

SECONDS = 6.0
COUNTER = Canonical(counter.counter(0, int(SECONDS * RATE) + RATE))
MUSIC = Canonical(music(SECONDS + 1))


def measured(board: SyntheticBoard, path: Path, canonical: Canonical) -> Played:
    board.play(path, canonical, SECONDS)
    marker = counter_marker if canonical is COUNTER else None
    return align("Kitchen", [path], START_US, pick=board.pick, canonical=canonical, marker=marker)


def assert_recovered(board: SyntheticBoard, played: Played, share: float) -> None:
    """Every found block is exactly where the synthetic board had put it; most are found."""
    (stretch,) = played.stretches
    truth = dict(board.positions)
    wanted = np.array([truth[int(d)] for d in stretch.descriptor])
    assert (stretch.frame - stretch.offset == wanted).all()
    sounding = [d for d, _ in board.positions if not any(f <= d < f + n for f, n in board.empty)]
    assert len(stretch.frame) >= share * len(sounding)


@pytest.mark.parametrize("ppm", [-40.0, 0.0, 33.3])
@pytest.mark.parametrize("pick", ["both", "left", "mono"])
def test_the_counter_places_every_block_of_a_trimming_board(
    tmp_path: Path, ppm: float, pick: str
) -> None:
    board = SyntheticBoard(ppm=ppm, pick=pick, offset_us=123.4)
    played = measured(board, tmp_path / "c", COUNTER)
    assert_recovered(board, played, 1.0)
    assert played.ppm == pytest.approx(ppm)
    assert abs(played.error_us - 123.4).max() < 33  # trimming starts at 11 us, on one frame's grid
    assert account(played, COUNTER).trims == board.trims


@pytest.mark.parametrize(
    ("pick", "gain", "noise", "share"),
    [
        ("both", 1.0, 0.0, 0.99),
        ("right", 1.0, 0.0, 0.99),
        ("mono", 0.31, 0.0, 0.99),
        ("left", 1.0, 60.0, 0.9),
        ("both", 0.5, 100.0, 0.9),
    ],
)
def test_music_is_placed_at_any_volume_and_through_lossy_noise(
    tmp_path: Path, pick: str, gain: float, noise: float, share: float
) -> None:
    board = SyntheticBoard(ppm=38.0, pick=pick, gain=gain, noise=noise)
    played = measured(board, tmp_path / "c", MUSIC)
    assert_recovered(board, played, share)
    assert account(played, MUSIC).trims == board.trims
    assert not account(played, MUSIC).jumps


@pytest.mark.parametrize("noise", [0.0, 80.0])
def test_several_trims_in_a_row_are_trims_and_no_jump(tmp_path: Path, noise: float) -> None:
    bursts = {100: 2, 200: -2, 300: 3, 400: -3, 500: 4, 600: -1}
    board = SyntheticBoard(bursts=bursts, trim=False, noise=noise)
    played = measured(board, tmp_path / "c", MUSIC)
    assert_recovered(board, played, 0.9)
    books = account(played, MUSIC)
    assert books.jumps == []
    assert books.left_out - books.repeated == sum(bursts.values())


def test_the_error_is_the_offset_to_a_twentieth_of_a_frame(tmp_path: Path) -> None:
    for offset_us in (-900.0, 7.0, 450.0):
        board = SyntheticBoard(ppm=0.0, offset_us=offset_us, trim=False)
        played = measured(board, tmp_path / "c", COUNTER)
        # the synthetic board starts on its nearest frame: half a frame of the offset is its own
        own = played.error_us - offset_us
        assert abs(own).max() < 10.5
        assert np.ptp(played.error_us) < 0.05 * 1e6 / RATE


def test_gaps_and_jumps_are_counted_where_they_happened(tmp_path: Path) -> None:
    board = SyntheticBoard(empty=[(100, 3), (400, 1)], jumps={200: 500, 300: -77}, trim=False)
    played = measured(board, tmp_path / "c", COUNTER)
    books = account(played, COUNTER)
    assert [(d.descriptors, d.underrun) for d in books.dropouts] == [(3, True), (1, True)]
    assert books.underruns == 2
    assert [jump.frames for jump in books.jumps] == [500, -77]
    assert (books.left_out, books.repeated) == (500, 77)


@pytest.mark.parametrize("canonical", [COUNTER, MUSIC])
def test_jumps_are_found_in_music_as_in_the_counter(tmp_path: Path, canonical: Canonical) -> None:
    board = SyntheticBoard(jumps={200: 960, 500: -960}, trim=False)
    played = measured(board, tmp_path / "c", canonical)
    assert [jump.frames for jump in account(played, canonical).jumps] == [960, -960]


def test_silence_that_the_music_asks_for_is_no_dropout(tmp_path: Path) -> None:
    pcm = music(SECONDS + 1)
    pcm[2 * RATE : 3 * RATE] = 0
    canonical = Canonical(pcm)
    board = SyntheticBoard(ppm=-25.0)
    played = measured(board, tmp_path / "c", canonical)
    books = account(played, canonical)
    assert books.dropouts == []
    assert books.jumps == []
    assert books.trims == board.trims


def test_a_board_that_falls_silent_for_good_is_not_excused(tmp_path: Path) -> None:
    board = SyntheticBoard(empty=[(600, 1000)])
    played = measured(board, tmp_path / "c", COUNTER)
    assert account(played, COUNTER).dropouts == []
    until_us = START_US + int(SECONDS * 1e6) - 200_000
    (dropout,) = account(played, COUNTER, until_us).dropouts
    assert dropout.underrun
    assert dropout.seconds == pytest.approx(2.6, abs=0.1)


@pytest.mark.parametrize("pick", ["both", "mono", "right"])
def test_an_untouched_capture_equals_the_canonical_pcm(tmp_path: Path, pick: str) -> None:
    board = SyntheticBoard(pick=pick)
    played = measured(board, tmp_path / "c", MUSIC)
    verdict = exactness(played, MUSIC, frames=5 * RATE)
    assert verdict.equal
    assert verdict.frames == 5 * RATE


def test_one_wrong_frame_in_a_minute_is_found(tmp_path: Path) -> None:
    board = SyntheticBoard()
    board.play(tmp_path / "c", MUSIC, SECONDS)
    pcm = MUSIC.stereo(0, len(MUSIC))
    pcm[123_456, 1] += 1
    other = Canonical(pcm)
    played = align("Kitchen", [tmp_path / "c"], START_US, pick="both", canonical=other)
    verdict = exactness(played, other, frames=5 * RATE)
    assert not verdict.equal
    assert verdict.first_difference == 123_456


def test_a_missing_end_is_not_equal(tmp_path: Path) -> None:
    board = SyntheticBoard(empty=[(300, 2)], trim=False)
    played = measured(board, tmp_path / "c", MUSIC)
    assert not exactness(played, MUSIC, frames=5 * RATE).equal
    whole = SyntheticBoard()
    played = measured(whole, tmp_path / "c", MUSIC)
    assert not exactness(played, MUSIC, frames=7 * RATE).equal


def test_the_first_frame_is_found_inside_its_block(tmp_path: Path) -> None:
    board = SyntheticBoard(t0_us=START_US - 54_321.0)
    for canonical in (COUNTER, MUSIC):
        board = SyntheticBoard(t0_us=START_US - 54_321.0)
        (stretch,) = measured(board, tmp_path / "c", canonical).stretches
        assert stretch.first_frame == 0
        assert abs(stretch.first_ns / 1e3 - START_US) < 10.5


def test_a_late_joiner_is_told_by_its_first_frame(tmp_path: Path) -> None:
    board = SyntheticBoard(empty=[(0, 120)], trim=False)
    (stretch,) = measured(board, tmp_path / "c", COUNTER).stretches
    assert stretch.first_frame == dict(board.positions)[120]


def test_sound_of_another_stream_is_left_out_not_guessed(tmp_path: Path) -> None:
    board = SyntheticBoard()
    board.play(tmp_path / "c", Canonical(music(SECONDS, seed=99)), SECONDS)
    played = align("Kitchen", [tmp_path / "c"], START_US, pick="both", canonical=MUSIC)
    assert played.frame.size == 0


def test_the_session_before_is_not_taken_for_this_one(tmp_path: Path) -> None:
    path = SyntheticBoard(trim=False).play(tmp_path / "c", COUNTER, SECONDS)
    later_us = START_US + 5_000_000
    played = align(
        "Kitchen",
        [path],
        later_us,
        pick="both",
        canonical=COUNTER,
        marker=counter_marker,
        since_us=later_us + 1_500_000,
    )
    assert played.frame.size == 0
