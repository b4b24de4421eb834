"""From volumes to gains."""

from phantom.volume import FULL, Volume, gain_q15

PORTABLE = True


def test_full_volume_is_unity_and_none_is_silence():
    assert gain_q15(FULL) == 32768
    assert gain_q15(0) == 0


def test_the_law_is_cubic():
    for volume in range(0, FULL + 1, 37):
        exact = (volume / FULL) * (volume / FULL) * (volume / FULL) * 32768
        assert abs(gain_q15(volume) - exact) <= 1


def test_a_level_trim_lowers_by_tenths_of_a_decibel():
    for level_db10 in (0, -1, -5, -60, -200, -240):
        exact = 10 ** (level_db10 / 200) * 32768
        assert abs(gain_q15(FULL, level_db10) - exact) <= 1


def test_louder_is_never_quieter():
    for level_db10 in (0, -35):
        last = 0
        for volume in range(0, FULL + 1, 25):
            gain = gain_q15(volume, level_db10)
            assert gain >= last
            last = gain


def test_mute_is_apart_from_the_volume():
    level = Volume()
    level.set(volume=5000)
    level.set(mute=True)
    assert level.gain_q15() == 0
    level.set(volume=8000)
    assert level.gain_q15() == 0
    level.set(mute=False)
    assert level.gain_q15() == gain_q15(8000)


def test_a_limit_holds_the_volume_down_now_and_later():
    level = Volume()
    level.limit(6000, -30)
    assert level.volume == 6000
    level.set(volume=9000)
    assert level.volume == 6000
    assert level.gain_q15() == gain_q15(6000, -30)
    level.limit(10000, 0)
    assert level.volume == 6000
