"""Resampling, joining and rounding."""

import numpy as np
import pytest

from storagebox.sources.canonical import Resampling, Rounding


def sine(rate: int, frames: int, hz: float = 997.0, level: float = 16000.0) -> np.ndarray:
    """Stereo, in 16-bit steps."""
    phase = 2 * np.pi * hz * np.arange(frames) / rate
    return level * np.stack([np.sin(phase), np.cos(phase)], axis=1)


def resample(pieces: list[tuple[np.ndarray, int]]) -> np.ndarray:
    resampling = Resampling()
    out = [out for sound, rate in pieces for out in resampling.push(sound, rate)]
    due = resampling.due
    out += resampling.finish()
    result = np.concatenate(out)
    assert len(result) == due
    return result


RATES = (8000, 11025, 22050, 32000, 44100, 88200, 96000, 176400, 192000)


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_comes_out_at_its_pitch_and_time_and_level(rate):
    hz = 997.0
    got = resample([(sine(rate, rate, hz), rate)])
    want = sine(48000, 48000, hz)
    middle = slice(2000, -2000)  # the edges ring, as the recording starts and ends abruptly
    assert len(got) == 48000
    assert np.abs(got - want)[middle].max() < 0.01  # of a 16-bit step


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("frames", [1, 2, 7, 147, 1001])
def test_as_many_frames_are_due_as_come_out(rate, frames):
    got = resample([(sine(rate, frames), rate)])
    assert len(got) == (2 * frames * 48000 + rate) // (2 * rate)


def test_the_result_does_not_depend_on_the_sizes_of_blocks():
    whole = sine(44100, 44100)
    random = np.random.default_rng(1)
    cuts = np.sort(random.integers(0, len(whole), 40))
    pieces = [(piece, 44100) for piece in np.split(whole, cuts)]
    assert np.array_equal(resample(pieces), resample([(whole, 44100)]))


def test_a_change_of_rate_loses_and_inserts_nothing():
    got = resample(
        [(sine(44100, 44100), 44100), (sine(96000, 9600), 96000), (sine(48000, 7), 48000)]
    )
    assert len(got) == 48000 + 4800 + 7
    assert np.abs(got[48100:52700] - sine(48000, 4800)[100:-100]).max() < 1


def test_sixteen_bits_stay_as_they_are():
    random = np.random.default_rng(2)
    samples = random.integers(-32768, 32768, (5000, 2)).astype(np.int16)
    assert np.array_equal(Rounding().round(samples.astype(np.float64), 123), samples)


def test_silence_stays_silent():
    assert not Rounding().round(np.zeros((1000, 2)), 0).any()


def test_dither_is_the_same_each_time_whatever_the_sizes_of_blocks():
    sound = sine(48000, 200_000, level=1000)
    whole = Rounding().round(sound, 0)
    again = Rounding()
    pieces = [again.round(sound[at : at + 777], at) for at in range(0, len(sound), 777)]
    assert np.array_equal(np.concatenate(pieces), whole)


def test_dither_keeps_what_is_smaller_than_a_step():
    whisper = sine(48000, 480_000, hz=1000, level=0.4)
    rounded = Rounding().round(whisper, 0).astype(np.float64)
    kept = (rounded * whisper).sum(axis=0) / (whisper * whisper).sum(axis=0)
    assert kept == pytest.approx([1, 1], abs=0.05)
    noise = (rounded - whisper).std()
    assert noise == pytest.approx(0.5, abs=0.02)  # 1/6 (dither) + 1/12 (rounding) step²


def test_what_is_too_loud_is_clipped_and_does_not_wrap():
    loud = np.array([[40000.0, -40000.0], [32767.6, -32768.6]])
    assert Rounding().round(loud, 0).tolist() == [[32767, -32768], [32767, -32768]]
