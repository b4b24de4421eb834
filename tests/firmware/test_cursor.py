"""The play cursor against a DAC model that knows the truth."""

from phantom.cursor import Cursor
from tests.firmware.dma import PERIOD, VirtualI2S
from tests.portable import Random

PORTABLE = True
HEAP_KIB = 4096

_START = 1000000  # board ticks when the DAC is made


def _ticks(x3):
    return _START + x3 // 3


def _turn(i2s, cursor, random, cost=60, busy=0, sure=None):
    """Write blocks, numbered in their first bytes, until the ring is full.

    A step takes up to `cost`; one in `busy` up to three periods, as others have the processor.
    When each is going to sound is noted in `sure`, where the cursor has no doubt.
    """

    def step():
        held_up = busy and random.below(busy) == 0
        i2s.advance(i2s.now + random.between(1, 3 * PERIOD if held_up else cost))

    while True:
        before = i2s.now
        step()
        number = cursor.accepted
        took = i2s.write(number.to_bytes(4, "little"))
        step()
        if not took:
            cursor.refused(_ticks(before))
            return
        cursor.took(_ticks(before), _ticks(i2s.now) + 1)
        if sure is not None and not cursor.doubtful:
            sure[number] = cursor.start_x3(number, _START)


def _run(i2s, cursor, random, until, pause, cost=60, busy=0):
    while i2s.now < until:
        _turn(i2s, cursor, random, cost, busy)
        i2s.advance(i2s.now + random.between(*pause))


def _truth(i2s):
    return {
        int.from_bytes(content, "little"): time
        for time, content in i2s.played
        if content is not None
    }


def _worst(i2s, cursor, last=50):
    truth = _truth(i2s)
    newest = sorted(truth)[-last:]
    return max(abs(cursor.start_x3(n, _START) - truth[n]) for n in newest)


def test_the_cursor_finds_the_boundary_within_microseconds():
    for seed in range(1, 6):
        random = Random(seed)
        i2s = VirtualI2S(16)
        cursor = Cursor(16, _START)
        _run(i2s, cursor, random, 400 * PERIOD, (900, 2400))
        assert cursor.locked
        assert cursor.underruns == 0
        assert cursor.width_us() <= 25, cursor.width_us()
        assert _worst(i2s, cursor) <= 40  # thirds of a microsecond


def test_the_cursor_is_right_about_every_block_from_the_first():
    random = Random(9)
    i2s = VirtualI2S(8)
    cursor = Cursor(8, _START)
    _run(i2s, cursor, random, 300 * PERIOD, (900, 1500))
    truth = _truth(i2s)
    assert truth[0] == 8 * PERIOD  # the first block sounds N buffers after construction
    for number in truth:
        if number > 200:
            assert abs(cursor.start_x3(number, _START) - truth[number]) < PERIOD // 20


def test_a_cursor_made_long_after_its_dac_finds_the_boundary_too():
    for seed in range(1, 9):
        random = Random(seed)
        i2s = VirtualI2S(16)
        i2s.advance(random.between(1, 6 * PERIOD))  # the constructor returned late
        cursor = Cursor(16, _ticks(i2s.now))
        i2s.advance(i2s.now + random.between(0, 30 * PERIOD))  # and the first block came later
        _run(i2s, cursor, random, i2s.now + 300 * PERIOD, (900, 2400))
        assert cursor.locked
        assert cursor.width_us() <= 30, (seed, cursor.width_us())
        assert _worst(i2s, cursor) <= 45, (seed, _worst(i2s, cursor))


def test_a_ring_nearly_dry_is_not_mistaken_for_an_underrun_for_long():
    for seed in range(1, 30):
        random = Random(seed)
        i2s = VirtualI2S(16)
        cursor = Cursor(16, _START)
        _run(i2s, cursor, random, 200 * PERIOD, (900, 1800))
        i2s.advance(i2s.now + 14 * PERIOD + random.between(0, 2 * PERIOD))
        _run(i2s, cursor, random, i2s.now + 40 * PERIOD, (900, 1800))
        assert _worst(i2s, cursor, 10) <= 60, (seed, _worst(i2s, cursor, 10))


def test_an_underrun_moves_the_cursor_by_whole_blocks():
    for seed in range(1, 9):
        random = Random(seed)
        i2s = VirtualI2S(16)
        cursor = Cursor(16, _START)
        _run(i2s, cursor, random, 300 * PERIOD, (900, 1800))
        # The board is elsewhere for 20 to 60 blocks; its ring holds 15.
        i2s.advance(i2s.now + random.between(20 * PERIOD, 60 * PERIOD))
        _run(i2s, cursor, random, i2s.now + 60 * PERIOD, (900, 1800))
        assert cursor.underruns > 0
        assert _worst(i2s, cursor, 20) <= 60, (seed, _worst(i2s, cursor, 20))


def test_a_board_that_is_held_up_after_an_underrun_places_nothing_until_it_knows_where():
    certain = doubtful = 0
    for seed in range(1, 60):
        random = Random(seed)
        i2s = VirtualI2S(16)
        cursor = Cursor(16, _START)
        _run(i2s, cursor, random, 300 * PERIOD, (900, 1800))
        first = cursor.accepted
        i2s.advance(i2s.now + random.between(20 * PERIOD, 60 * PERIOD))
        sure = {}
        until = i2s.now + 30 * PERIOD
        while i2s.now < until:
            _turn(i2s, cursor, random, 300, 8, sure)
            i2s.advance(i2s.now + random.between(900, 1800))
        i2s.advance(i2s.now + 20 * PERIOD)
        truth = _truth(i2s)
        for number, start in sure.items():
            if number >= first:
                certain += 1
                assert abs(start - truth[number]) < 100, (seed, number - first)
        doubtful += cursor.accepted - first - len(sure)
        assert not cursor.doubtful, seed
    assert certain > 1000
    assert doubtful > 100


def test_a_hurried_start_leaves_no_contradiction_for_the_music():
    pause = (900, 2400)
    for seed in (16, 22, 39, 57, 69, 94, 113, 150):
        for absences in (1, 2):
            random = Random(seed)
            i2s = VirtualI2S(16)
            cursor = Cursor(16, _START)
            _run(i2s, cursor, random, random.between(2, 60) * PERIOD, pause, 300, 6)
            for _ in range(absences):
                i2s.advance(i2s.now + random.between(13 * PERIOD, 25 * PERIOD))
                until = i2s.now + random.between(PERIOD // 2, 30 * PERIOD)
                _run(i2s, cursor, random, until, pause, 300, 6)
            _run(i2s, cursor, random, i2s.now + 100 * PERIOD, pause)
            settled = cursor.underruns
            for _ in range(6):
                _run(i2s, cursor, random, i2s.now + 50 * PERIOD, pause)
                assert _worst(i2s, cursor, 20) <= 150, (seed, _worst(i2s, cursor, 20))
            assert cursor.underruns == settled, (seed, cursor.underruns - settled)


def test_an_interrupt_that_comes_late_is_no_underrun():
    random = Random(5)
    i2s = VirtualI2S(16)
    cursor = Cursor(16, _START)
    _run(i2s, cursor, random, 300 * PERIOD, (900, 1800))
    block = cursor.accepted
    room = _START + cursor.start_x3(block - 15, _START) // 3
    cursor.refused(room + 30)  # the descriptor has been played, but is not yet in the queue
    assert cursor.underruns == 0
    assert abs(cursor.start_x3(block - 15, _START) // 3 - (room - _START)) <= 31
    cursor.refused(room + 300)
    assert cursor.underruns == 1


def test_a_short_absence_is_no_underrun():
    random = Random(3)
    i2s = VirtualI2S(16)
    cursor = Cursor(16, _START)
    _run(i2s, cursor, random, 200 * PERIOD, (900, 1800))
    i2s.advance(i2s.now + 13 * PERIOD)
    _run(i2s, cursor, random, i2s.now + 50 * PERIOD, (900, 1800))
    assert cursor.underruns == 0
    assert _worst(i2s, cursor) <= 60


def test_numbers_stay_small_over_an_hour_of_blocks():
    random = Random(4)
    i2s = VirtualI2S(16)
    cursor = Cursor(16, _START)
    _run(i2s, cursor, random, 2000 * PERIOD, (900, 2400))
    # The reference follows the blocks, so no product outgrows 31 bits.
    assert cursor.accepted - cursor._ref_block < 100
    assert abs(cursor.start_x3(cursor.accepted, _ticks(i2s.now))) < 40 * PERIOD
