"""Kernels on whatever may come: random, at the edges of range, length, alignment and memory.

Runs on every executor that test_dsp.py does. Buffers end exactly where a kernel may read and write
last, so a machine that checks bounds sees one byte too many; what surrounds the output must stay.
"""

import array

from phantom import dsp
from tests.firmware import dsp_reference as reference
from tests.portable import Random

PORTABLE = True

_SEEDS = (1, 20, 333, 4444)
_LOUDEST, _UNITY = -32768, 32768
_LENGTHS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33)
_EXTREMES = (-32768, -32767, -1, 0, 1, 32766, 32767)
_GAINS = (0, 1, 2, 16384, 32766, 32767, 32768)


def _noise(random, count):
    return [
        _EXTREMES[random.below(7)] if random.below(3) == 0 else random.between(-32768, 32767)
        for _ in range(count)
    ]


def _buffer(samples):
    return array.array("h", samples)


def _bytes(random, count):
    return bytearray(random.below(256) for _ in range(count))


def _cases(run):
    for seed in _SEEDS:
        random = Random(seed)
        for length in _LENGTHS:
            run(random, length)
        for _ in range(8):
            run(random, random.below(120))


def test_copy():
    def run(random, count):
        dst_at, src_at = random.below(9), random.below(9)
        before, src = (
            _noise(random, dst_at + count + random.below(3)),
            _noise(random, src_at + count),
        )
        target = _buffer(before)
        dsp.copy(target, dst_at, _buffer(src), src_at, count)
        assert list(target) == before[:dst_at] + src[src_at:] + before[dst_at + count :], count

    _cases(run)


def test_copy_within_a_buffer_towards_lower_addresses():
    def run(random, count):
        dst_at = random.below(6)
        src_at = dst_at + random.below(9)
        samples = _noise(random, src_at + count)
        target = _buffer(samples)
        dsp.copy(target, dst_at, target, src_at, count)
        expected = samples[:dst_at] + samples[src_at:] + samples[dst_at + count :]
        assert list(target) == expected, (dst_at, src_at, count)

    _cases(run)


def test_copy_bytes():
    def run(random, count):
        dst_at, src_at = random.below(9), random.below(9)
        # A word is read and written whole where it is in the buffer: nothing beyond it.
        before, src = (
            _bytes(random, dst_at + count + random.below(4)),
            _bytes(random, src_at + count),
        )
        target = bytearray(before)
        dsp.copy_bytes(target, dst_at, src, src_at, count)
        expected = before[:dst_at] + src[src_at:] + before[dst_at + count :]
        assert target == expected, (dst_at, src_at, count)

    _cases(run)


def test_copy_bytes_within_a_buffer_towards_lower_addresses():
    def run(random, count):
        dst_at = random.below(6)
        src_at = dst_at + random.below(9)
        before = _bytes(random, src_at + count)
        target = bytearray(before)
        dsp.copy_bytes(target, dst_at, target, src_at, count)
        expected = before[:dst_at] + before[src_at:] + before[dst_at + count :]
        assert target == expected, (dst_at, src_at, count)

    _cases(run)


def test_silence():
    def run(random, count):
        at, before = random.below(9), _noise(random, count + 12)
        target = _buffer(before)
        dsp.silence(target, at, count)
        assert list(target) == before[:at] + [0] * count + before[at + count :], (at, count)

    _cases(run)


def test_spread():
    def run(random, frames):
        dst_at, src_at = random.below(9), random.below(9)
        before, mono = _noise(random, dst_at + 2 * frames), _noise(random, src_at + frames)
        target = _buffer(before)
        dsp.spread(target, dst_at, _buffer(mono), src_at, frames)
        both = [sample for sample in mono[src_at:] for _ in (0, 1)]
        assert list(target) == before[:dst_at] + both, (dst_at, src_at, frames)

    _cases(run)


def test_spread_in_place():
    def run(random, frames):
        src_at = random.below(5)
        dst_at = src_at + random.below(5)
        before = _noise(random, dst_at + 2 * frames)
        target = _buffer(before)
        dsp.spread(target, dst_at, target, src_at, frames)
        mono = before[src_at : src_at + frames]
        assert list(target)[dst_at:] == [x for x in mono for _ in (0, 1)], (dst_at, src_at, frames)

    _cases(run)


def test_gain():
    def run(random, frames):
        gains = [
            _GAINS[random.below(7)] if random.below(2) else random.below(_UNITY + 1)
            for _ in (0, 1)
        ]
        at = random.below(7)
        before = _noise(random, at + 2 * frames + random.below(3))
        target = _buffer(before)
        dsp.gain(target, at, frames, *gains)
        scaled = reference.gain(before[at : at + 2 * frames], *gains) if frames else []
        assert list(target) == before[:at] + scaled + before[at + 2 * frames :], (frames, gains)

    _cases(run)


def test_gain_of_the_loudest_samples_by_every_extreme():
    for start in _GAINS:
        for end in _GAINS:
            for frames in (1, 2, 256):
                samples = [_LOUDEST, 32767] * frames
                target = _buffer(samples)
                dsp.gain(target, 0, frames, start, end)
                assert list(target) == reference.gain(samples, start, end), (start, end, frames)


def test_mix():
    def run(random, count):
        dst_at, src_at = random.below(9), random.below(9)
        before, src = _noise(random, dst_at + count), _noise(random, src_at + count)
        if random.below(3) == 0:  # the sums that are farthest off
            src = [_LOUDEST if x & 1 else 32767 for x in src]
        target = _buffer(before)
        dsp.mix(target, dst_at, _buffer(src), src_at, count)
        mixed = reference.mix(before[dst_at:], src[src_at:]) if count else []
        assert list(target) == before[:dst_at] + mixed, (dst_at, src_at, count)

    _cases(run)


def _tracks(random, frames):
    # Noise, and what makes a cubic overshoot most.
    alternating = [_LOUDEST if i & 1 else 32767 for i in range(frames)]
    steps = [_LOUDEST if i // 3 & 1 else 32767 for i in range(frames)]
    impulse = [0] * frames
    impulse[random.below(frames)] = _LOUDEST
    return (_noise(random, frames), alternating, steps, impulse, [_LOUDEST] * frames)


def test_resample():
    random = Random(5)
    for n_in in (255, 256, 257):
        frames = n_in if n_in == 256 else n_in + 1  # with look-ahead
        for track in _tracks(random, frames):
            other = _noise(random, frames)
            for channels in (1, 2):
                at, start = random.below(5), random.below(5)
                source = _noise(random, start)
                for frame in range(frames):
                    source += [track[frame], other[frame]][:channels]
                before = _noise(random, at + 256 * channels + 2)
                target = _buffer(before)
                dsp.resample(target, at, _buffer(source), start, channels, n_in)
                expected = list(before)
                for channel in range(channels):
                    made = reference.resample(source[start + channel :: channels], n_in)
                    for i, sample in enumerate(made):
                        expected[at + i * channels + channel] = sample
                assert list(target) == expected, (channels, n_in)


def test_decode_adpcm():
    random = Random(6)
    for index in (0, 1, 87, 88, 89, 127, 128, 255):
        for predictor in (_LOUDEST, -1, 0, 32767):
            code = (None, 0x00, 0x77, 0x88, 0xFF, 0x7F)[random.below(6)]
            stride, src_at, at = 1 + random.below(2), random.below(5), random.below(5)
            payload = _bytes(random, src_at + 132)
            payload[src_at] = predictor & 255
            payload[src_at + 1] = predictor >> 8 & 255
            payload[src_at + 2] = index
            if code is not None:
                payload[src_at + 4 :] = bytes([code]) * 128
            before = _noise(random, at + 255 * stride + 1)
            target = _buffer(before)
            dsp.decode_adpcm(target, at, stride, payload, src_at, dsp.ADPCM_TABLES)
            expected = list(before)
            for i, sample in enumerate(reference.decode_adpcm(payload[src_at:])):
                expected[at + i * stride] = sample
            assert list(target) == expected, (index, predictor, code, stride)
