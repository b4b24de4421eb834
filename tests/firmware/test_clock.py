"""House time from noisy exchanges: how near the truth, how soon, and what it survives."""

from phantom.clock import HouseClock
from tests.portable import Random

PORTABLE = True

_HOUSE = 5000000000000  # us; far over 32 bits


class Line:
    """A link with seeded delays between a board of known ppm and a house clock."""

    def __init__(self, seed, ppm, base_us, jitter_us, tail_us=0):
        self.random = Random(seed)
        self.ppm = ppm
        self.base_us = base_us
        self.jitter_us = jitter_us
        self.tail_us = tail_us
        self.now_us = 0
        self.step_us = 0  # added to house time
        self.start = 123456

    def ticks(self, at_us):
        return self.start + at_us + at_us * self.ppm // 1000000

    def house(self, at_us):
        return _HOUSE + at_us + self.step_us

    def delay(self):
        # A product of two uniforms is dense near zero, as contention is.
        j = self.random.below(1000) * self.random.below(1000) * self.jitter_us // 1000000
        if self.tail_us and self.random.below(10) == 0:
            j += self.random.below(self.tail_us)
        return self.base_us + j

    def exchange(self, clock, generation=1):
        there, back = self.delay(), self.delay()
        t1 = self.now_us
        t4 = t1 + there + back + 50
        self.now_us = t4
        t2 = self.house(t1 + there)
        return clock.sample(self.ticks(t1), self.ticks(t4), t2, 50, generation)

    def run(self, clock, seconds, period_us=125000):
        until = self.now_us + seconds * 1000000
        fitted = 0
        while self.now_us < until:
            self.exchange(clock)
            if clock.samples < 32 or self.now_us - fitted > 1000000 or not clock.synced:
                clock.fit(self.ticks(self.now_us))
                fitted = self.now_us
            self.now_us += period_us

    def error(self, clock):
        at = self.now_us + 200000
        return clock.house_us(self.ticks(at)) - self.house(at)


def test_house_time_is_unknown_until_a_few_exchanges_agree():
    line, clock = Line(1, 10, 200, 50), HouseClock()
    assert not clock.fit(line.ticks(0))
    for _ in range(3):
        line.exchange(clock)
    assert not clock.fit(line.ticks(line.now_us))
    assert not clock.synced


def test_a_wired_board_knows_house_time_within_ten_microseconds():
    for seed, ppm in ((1, -40), (2, 40), (3, 7)):
        line, clock = Line(seed, ppm, 150, 60), HouseClock()
        line.run(clock, 40)
        assert abs(line.error(clock)) <= 10, (seed, line.error(clock))
        assert abs(clock.skew_ppb() + ppm * 1000) < 1000, clock.skew_ppb()


def test_a_wifi_board_knows_house_time_within_a_hundred_microseconds():
    for seed, ppm in ((1, -40), (2, 40), (3, 7), (4, -15)):
        line, clock = Line(seed, ppm, 900, 3000, 15000), HouseClock()
        line.run(clock, 64)
        assert abs(line.error(clock)) <= 100, (seed, line.error(clock))


def test_the_first_second_is_good_to_a_third_of_a_millisecond():
    for seed in range(1, 8):
        line, clock = Line(seed, 40, 200, 100), HouseClock()
        line.run(clock, 1, 20000)
        assert clock.synced
        assert abs(line.error(clock)) <= 100, (seed, line.error(clock))


def test_a_new_generation_starts_over():
    line, clock = Line(1, 20, 200, 50), HouseClock()
    line.run(clock, 10)
    line.step_us = 40000000
    line.exchange(clock, 2)
    assert not clock.synced
    for _ in range(30):
        line.exchange(clock, 2)
        clock.fit(line.ticks(line.now_us))
        line.now_us += 10000
    assert abs(line.error(clock)) < 100


def test_one_lying_exchange_moves_nothing():
    line, clock = Line(1, 20, 200, 50), HouseClock()
    line.run(clock, 20)
    before = line.error(clock)
    line.step_us = 500000
    assert not line.exchange(clock)
    line.step_us = 0
    line.run(clock, 2)
    assert abs(line.error(clock) - before) < 10


def test_a_timeline_that_moved_for_good_is_followed():
    line, clock = Line(1, 20, 200, 50), HouseClock()
    line.run(clock, 20)
    line.step_us = 500000
    line.run(clock, 5)
    assert abs(line.error(clock)) < 50


def test_impossible_exchanges_are_refused():
    clock = HouseClock()
    assert not clock.sample(1000, 900, _HOUSE, 0, 1)  # came back before it went
    assert not clock.sample(1000, 1100, _HOUSE, 500, 1)  # held longer than it was away
    assert not clock.sample(0, 3000000, _HOUSE, 0, 1)  # three seconds say nothing
    assert clock.samples == 0
