"""The kernels against their reference, bit by bit, on any executor.

CPython and MicroPython run this file (see tests/portable.py); test_dsp_native.py runs it once
more with `dsp` exchanged for the board's own machine code.
"""

import array

from phantom import dsp
from tests.firmware import dsp_reference as reference
from tests.portable import Random

PORTABLE = True

_EXTREMES = (-32768, -32767, -1, 0, 1, 32766, 32767)


def _noise(random, count):
    """Samples of full scale, every fourth an extreme value."""
    return [
        _EXTREMES[random.below(7)] if random.below(4) == 0 else random.between(-32768, 32767)
        for _ in range(count)
    ]


def _buffer(samples):
    return array.array("h", samples)


def _bytes(random, count):
    return bytearray(random.below(256) for _ in range(count))


def test_copy_moves_exactly_the_asked_samples_at_every_alignment():
    random = Random(1)
    for dst_at, src_at, count in (
        (0, 0, 512), (0, 0, 0), (1, 0, 17), (0, 1, 8), (1, 1, 511), (2, 4, 7), (5, 2, 30),
        (4, 2, 9), (3, 7, 1),
    ):  # fmt: skip
        dst, src = _noise(random, 520), _noise(random, 520)
        expected = dst[:dst_at] + src[src_at : src_at + count] + dst[dst_at + count :]
        target = _buffer(dst)
        dsp.copy(target, dst_at, _buffer(src), src_at, count)
        assert list(target) == expected, (dst_at, src_at, count)


def test_copy_moves_overlapping_samples_toward_lower_addresses():
    for dst_at, src_at in ((0, 1), (0, 2), (2, 6), (1, 4)):
        samples = _noise(Random(2), 300)
        expected = samples[:dst_at] + samples[src_at:]
        target = _buffer(samples)
        dsp.copy(target, dst_at, target, src_at, 300 - src_at)
        assert list(target)[: len(expected)] == expected, (dst_at, src_at)


def test_copy_bytes_moves_exactly_the_asked_bytes_at_every_alignment():
    random = Random(3)
    lengths = (0, 1, 2, 3, 7, 15, 16, 17, 18, 19, 31, 64)
    for dst_at in range(5):
        for src_at in range(5):
            for count in lengths:
                # src ends where the copy does: a board's machine code must read nothing beyond.
                dst, src = _bytes(random, dst_at + count + 4), _bytes(random, src_at + count)
                expected = dst[:dst_at] + src[src_at:] + dst[dst_at + count :]
                dsp.copy_bytes(dst, dst_at, src, src_at, count)
                assert dst == expected, (dst_at, src_at, count)


def test_copy_bytes_moves_overlapping_bytes_toward_lower_addresses():
    for dst_at, src_at in ((0, 1), (0, 4), (3, 4), (2, 9), (5, 8)):
        target = _bytes(Random(2), 200)
        expected = target[:dst_at] + target[src_at:]
        dsp.copy_bytes(target, dst_at, target, src_at, 200 - src_at)
        assert target[: len(expected)] == expected, (dst_at, src_at)


def test_silence_zeroes_exactly_the_asked_samples():
    samples = _noise(Random(4), 40)
    target = _buffer(samples)
    dsp.silence(target, 3, 0)
    assert list(target) == samples
    dsp.silence(target, 3, 30)
    assert list(target) == samples[:3] + [0] * 30 + samples[33:]


def test_spread_puts_a_mono_signal_on_both_channels():
    random = Random(5)
    mono, before = _noise(random, 260), _noise(random, 520)
    target = _buffer(before)
    dsp.spread(target, 2, _buffer(mono), 3, 256)
    both = [sample for sample in mono[3:259] for _ in (0, 1)]
    assert list(target) == before[:2] + both + before[514:]


def test_spread_works_in_place_when_it_writes_at_or_behind_what_it_reads():
    mono = _noise(Random(6), 256)
    for dst_at, src_at in ((0, 0), (4, 2)):
        target = _buffer([7] * src_at + mono + [7] * 270)
        dsp.spread(target, dst_at, target, src_at, 256)
        both = [sample for sample in mono for _ in (0, 1)]
        assert list(target)[dst_at : dst_at + 512] == both, (dst_at, src_at)


def test_gain_at_unity_is_the_identity():
    samples = _noise(Random(7), 512)
    target = _buffer(samples)
    dsp.gain(target, 0, 256, 32768, 32768)
    assert list(target) == samples


def test_gain_of_zero_is_silence():
    target = _buffer(_noise(Random(8), 512))
    dsp.gain(target, 0, 256, 0, 0)
    assert list(target) == [0] * 512


def test_gain_ramps_and_rounds_as_the_reference_does():
    random = Random(9)
    for frames, start, end in (
        (256, 32768, 0), (256, 0, 32768), (256, 20000, 20000), (512, 32767, 32768), (1, 5, 9),
        (7, 32768, 31000), (100, 1, 0), (3, 12345, 23456),
    ):  # fmt: skip
        samples = _noise(random, 2 * frames + 8)
        target = _buffer(samples)
        dsp.gain(target, 4, frames, start, end)
        scaled = reference.gain(samples[4:-4], start, end)
        assert list(target) == samples[:4] + scaled + samples[-4:], (frames, start, end)


def test_mix_adds_and_saturates():
    random = Random(10)
    one = _noise(random, 500) + [a for a in _EXTREMES for _ in _EXTREMES]
    other = _noise(random, 500) + [b for _ in _EXTREMES for b in _EXTREMES]
    target = _buffer(one)
    dsp.mix(target, 1, _buffer(other), 0, 0)
    assert list(target) == one
    dsp.mix(target, 0, _buffer(other), 0, len(one))
    assert list(target) == reference.mix(one, other)
    target = _buffer(one)
    dsp.mix(target, 5, _buffer(other), 2, 100)
    assert list(target) == one[:5] + reference.mix(one[5:105], other[2:102]) + one[105:]


def test_resample_equals_its_reference_for_mono_and_stereo():
    random = Random(11)
    for channels in (1, 2):
        for n_in in (255, 256, 257):
            source = _noise(random, 3 + (n_in + 1) * channels)
            before = _noise(random, 6 + 256 * channels)
            target = _buffer(before)
            dsp.resample(target, 4, _buffer(source), 3, channels, n_in)
            expected = list(before)
            for channel in range(channels):
                track = reference.resample(source[3 + channel :: channels], n_in)
                for i, sample in enumerate(track):
                    expected[4 + i * channels + channel] = sample
            assert list(target) == expected, (channels, n_in)


def test_resample_stays_within_one_step_of_the_exact_curve():
    random = Random(12)
    for n_in in (255, 257):
        source = [random.between(-20000, 20000) for _ in range(n_in + 1)]
        target = _buffer([0] * 256)
        dsp.resample(target, 0, _buffer(source), 0, 1, n_in)
        exact, unit = reference.resample_exactly(source, n_in)
        # At the last frame of 255 a straight line stands in for the curve: t is 1 / 256 there.
        tolerances = [unit] * 255 + [100 * unit]
        for i in range(256):
            assert abs(target[i] * unit - exact[i]) <= tolerances[i], (n_in, i)


def test_resample_keeps_a_straight_line_straight():
    for n_in in (255, 257):
        line = _buffer([256 * k - 32768 for k in range(n_in - 2)] + [0] * 6)
        target = _buffer([0] * 256)
        dsp.resample(target, 0, line, 0, 1, n_in)
        for i in range(1, 252):
            assert abs(target[i] - (i * n_in - 32768)) <= 1, (n_in, i)


def test_decoded_chunks_equal_the_textbook_decoder():
    random = Random(13)
    for index in (0, 1, 40, 88, 89, 255):
        for stride in (1, 2):
            payload = _bytes(random, 5 + 132)
            payload[5 + 2] = index
            before = _noise(random, 6 + 256 * stride)
            target = _buffer(before)
            dsp.decode_adpcm(target, 4, stride, payload, 5, dsp.ADPCM_TABLES)
            expected = list(before)
            for i, sample in enumerate(reference.decode_adpcm(payload[5:])):
                expected[4 + i * stride] = sample
            assert list(target) == expected, (index, stride)


def test_decoding_saturates_at_both_ends():
    for code, predictor in ((0x77, 30000), (0xFF, -30000)):
        header = [predictor & 255, predictor >> 8 & 255, 80, 0]
        payload = bytearray(header + [code] * 128)
        target = _buffer([0] * 256)
        dsp.decode_adpcm(target, 0, 1, payload, 0, dsp.ADPCM_TABLES)
        assert list(target) == reference.decode_adpcm(payload), code
        assert target[255] == (32767 if predictor > 0 else -32768)
