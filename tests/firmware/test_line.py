"""The weighted line through the exchanges of a minute."""

from phantom.line import SECONDS, SKEW_UNIT, TIME_MASK, Line
from tests.portable import Random

PORTABLE = True


def _fill(line, random, ppm, seconds, noise_us, gap_us=300, start=0, offset=0):
    """Eight exchanges a second of a clock that gains `ppm`; returns the last time."""
    for i in range(seconds * 8):
        time = start + i * 128
        true = offset + (i * 128 * ppm) // 1024
        there = true + gap_us // 2 + random.below(noise_us)
        back = true - gap_us // 2 - random.below(noise_us)
        line.add(time & TIME_MASK, there, back)
        if i % 8 == 7:
            line.fit(time & TIME_MASK)
    return time


def test_a_full_window_gives_offset_and_skew():
    for ppm in (-80, -7, 0, 33):
        line = Line()
        last = _fill(line, Random(ppm & 0xFF), ppm, 64, 100)
        for _ in range(3):
            offset = line.fit(last & TIME_MASK)
        true = last * ppm // 1024
        assert abs((offset >> 6) - true) <= 8, (ppm, offset >> 6, true)
        assert abs(line.skew - ppm * SKEW_UNIT) <= SKEW_UNIT // 2, (ppm, line.skew)


def test_two_seconds_of_noise_are_not_taken_for_a_skew():
    line = Line()
    last = _fill(line, Random(3), 0, 2, 400)
    line.fit(last)
    assert abs(line.skew) < 30 * SKEW_UNIT


def test_a_congested_stretch_hardly_moves_the_line():
    line = Line()
    random = Random(5)
    _fill(line, random, 20, 40, 60)
    # Five seconds in which the way back is slow by milliseconds, the way there is not.
    for i in range(40 * 8, 45 * 8):
        true = (i * 128 * 20) // 1024
        line.add(i * 128, true + 150, true - 3000 - random.below(3000))
    last = 45 * 8 * 128
    for _ in range(3):
        offset = line.fit(last)
    assert abs((offset >> 6) - last * 20 // 1024) <= 25


def test_the_window_forgets_what_is_older_than_it():
    line = Line()
    last = _fill(line, Random(1), 0, SECONDS, 50, offset=0)
    last = _fill(line, Random(2), 0, SECONDS + 1, 50, start=last + 128, offset=400)
    for _ in range(3):
        offset = line.fit(last)
    assert abs((offset >> 6) - 400) < 8
    assert line.count == SECONDS


def test_bucket_times_may_wrap():
    line = Line()
    start = TIME_MASK - 20 * 1024
    last = _fill(line, Random(4), 10, 40, 50, start=start)
    for _ in range(3):
        offset = line.fit(last & TIME_MASK)
    assert abs((offset >> 6) - (last - start) * 10 // 1024) < 10


def test_shifting_moves_the_line_and_nothing_else():
    line = Line()
    last = _fill(line, Random(6), 15, 30, 50)
    line.fit(last)
    before = line.fit(last)
    line.shift(1000)
    after = line.fit(last)
    assert abs(before - after - 64000) <= 64
