"""A house without a box: boards that tell each other the time, with crystals of their own."""

from time import ticks_add

from phantom.clock import HouseClock
from tests.portable import Random

PORTABLE = True
HEAP_KIB = 1024

_SECOND = 1000000
_TICKS_MASK = ticks_add(0, -1)  # where ticks wrap differs


class Board:
    """A board with a crystal `ppm` off; its loop looks at its sockets every `turn_us`."""

    def __init__(self, house, ppm, start):
        self.house = house
        self.ppm = ppm
        self.start = start
        self.clock = HouseClock()
        self.server = None
        self.fitted = 0
        self.steps_us = 0  # the largest step in what it believed, as a fit moved it
        house.boards.append(self)

    def ticks(self, at_us):
        return (self.start + at_us + at_us * self.ppm // _SECOND) & _TICKS_MASK

    def believes(self, at_us=None):
        return self.clock.house_us(self.ticks(self.house.now_us if at_us is None else at_us))

    def ask(self, server):
        self.server = server
        self.clock.switch(self.ticks(self.house.now_us))
        for _ in range(24):
            self._exchange(self.house.now_us)

    def _exchange(self, t1):
        there, back = self.house.delay(), self.house.delay()
        read = t1 + there + self.house.random.below(self.house.turn_us)
        sent = read + 80
        t4 = sent + back
        server = self.server
        t2 = server.clock.house_us(server.ticks(read))
        self.clock.sample(self.ticks(t1), self.ticks(t4), t2, 80, server.clock.generation)

    def turn(self):
        now = self.house.now_us
        if self.server is None:
            self.clock.carry(self.ticks(now))
            return
        self._exchange(now - 20000)
        if self.clock.samples < 32 or now - self.fitted > _SECOND or not self.clock.synced:
            self.fitted = now
            was = self.believes() if self.clock.synced else None
            self.clock.fit(self.ticks(now))
            if was is not None:
                self.steps_us = max(self.steps_us, abs(self.believes() - was))


class House:
    """Boards on one network, stepped through simulated time eight times a second."""

    def __init__(self, seed, crystals, base_us=300, jitter_us=300, turn_us=600):
        self.random = Random(seed)
        self.base_us = base_us
        self.jitter_us = jitter_us
        self.turn_us = turn_us
        self.now_us = _SECOND
        self.boards = []
        for ppm in crystals:
            Board(self, ppm, self.random.below(0x3FFFFFFF))
        founder = self.boards[0]
        founder.clock.found(founder.ticks(self.now_us), 7)
        for board in self.boards[1:]:
            board.ask(founder)

    def delay(self):
        j = self.random.below(1000) * self.random.below(1000) * self.jitter_us // 1000000
        return self.base_us + j

    def run(self, seconds, boards=None):
        """The largest distance between any two boards' beliefs, second by second."""
        apart = 0
        boards = self.boards if boards is None else boards
        for step in range(seconds * 8):
            self.now_us += 125000
            for board in boards:
                board.turn()
            if step % 8 == 7:
                apart = max(apart, spread(boards))
        return apart

    def calm(self):
        for board in self.boards:
            board.steps_us = 0


def spread(boards):
    believed = [board.believes() for board in boards]
    return max(believed) - min(believed)


def test_a_founder_tells_its_own_ticks_and_they_never_wrap():
    house = House(1, [40])
    (board,) = house.boards
    before = board.believes()
    for _ in range(30):
        house.now_us += 100 * _SECOND
        board.turn()
    assert abs(board.believes() - before - 3000 * _SECOND - 3000 * 40) < 2


def test_boards_agree_without_a_box_within_some_tens_of_microseconds():
    for seed in (1, 2, 3):
        house = House(seed, [40, -40, 15, -3])
        house.run(40)
        assert house.run(30) <= 60, seed


def test_the_next_board_takes_over_without_a_step():
    for seed in (1, 2, 3):
        house = House(seed, [40, -40, 25, -10])
        house.run(70)
        house.calm()
        dead = house.boards.pop(0)
        # Each notices at another moment; meanwhile all carry on.
        house.boards[0].server = None
        for board in house.boards[1:]:
            board.server = None
        apart = house.run(2)
        for board in house.boards[1:]:
            board.ask(house.boards[0])
        apart = max(apart, house.run(60))
        assert apart <= 60, (seed, apart)
        assert max(board.steps_us for board in house.boards) <= 40, seed
        # The timeline is still the founder's.
        assert abs(house.boards[0].believes() - dead.believes(house.now_us)) < 200, seed


def test_server_after_server_dies_and_time_goes_on():
    house = House(5, [10, -40, 40, -20, 30])
    house.run(40)
    for _ in range(3):
        house.boards.pop(0)
        house.boards[0].server = None
        for board in house.boards[1:]:
            board.ask(house.boards[0])
        house.calm()
        assert house.run(70) <= 80
        assert max(board.steps_us for board in house.boards) <= 50


def test_a_house_split_for_a_minute_heals_without_a_step_anyone_would_hear():
    for seed in (1, 2, 3):
        house = House(seed, [40, -40, 25, -10])
        house.run(70)
        here, there = house.boards[:2], house.boards[2:]
        there[0].server = None
        there[1].ask(there[0])
        house.calm()
        for _ in range(60):
            house.run(1, here)
            house.now_us -= _SECOND
            house.run(1, there)
        assert spread(house.boards) < 300, seed
        for board in there:
            board.ask(house.boards[0])
        apart = house.run(30)
        assert apart < 300, (seed, apart)
        assert house.run(60) <= 60, seed
        assert max(board.steps_us for board in house.boards) < 300, seed


def test_a_server_that_returns_to_following_keeps_its_belief_until_it_knows_better():
    house = House(2, [40, -40, 25])
    house.run(70)
    # The founder follows a board that followed it, as it would a box that adopted its timeline.
    founder, other = house.boards[0], house.boards[1]
    other.server = None
    house.run(120, [founder, other])
    before = spread([founder, other])
    founder.ask(other)
    house.calm()
    house.run(30, [founder, other])
    assert founder.clock.synced
    assert founder.steps_us <= before + 60
    assert spread([founder, other]) <= 60


def test_another_timeline_replaces_the_one_before():
    house = House(3, [40, -40])
    house.run(20)
    stranger = Board(house, 5, 99)
    stranger.clock.found(stranger.ticks(house.now_us), 8)
    follower = house.boards[1]
    follower.ask(stranger)
    assert follower.clock.generation == 8
    house.run(20, [follower, stranger])
    assert spread([follower, stranger]) <= 100


def test_a_board_that_has_followed_for_some_seconds_may_be_relied_upon():
    house = House(4, [0, 40])
    founder, follower = house.boards
    assert founder.clock.settled()
    house.run(10)
    assert not follower.clock.settled()
    house.run(20)
    assert follower.clock.settled()
