"""What each kernel of phantom/dsp.py must produce, written for clarity: lists of plain integers.

Runs on CPython and MicroPython. Nothing here shares code or tables with the kernels.
"""

STEPS = [
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66,
    73, 80, 88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408,
    449, 494, 544, 598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878,
    2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845,
    8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086,
    29794, 32767
]  # fmt: skip
INDEX_CHANGE = [-1, -1, -1, -1, 2, 4, 6, 8]


def saturate(value):
    """The nearest signed 16-bit value."""
    return max(-32768, min(32767, value))


def gain(samples, gain_from_q15, gain_to_q15):
    """Interleaved stereo under a linear ramp, rounded to nearest, halves upward."""
    frames = len(samples) // 2
    step_q29 = ((gain_to_q15 - gain_from_q15) << 14) // frames
    result = []
    for at, sample in enumerate(samples):
        gain_q15 = ((gain_from_q15 << 14) + at // 2 * step_q29) >> 14
        result.append((sample * gain_q15 + 16384) >> 15)
    return result


def mix(one, other):
    """Sum of two signals, saturating."""
    return [saturate(one[at] + other[at]) for at in range(len(one))]


def decode_adpcm(channel):
    """256 samples of one channel's 132 bytes, as the standard's text has it."""
    predictor = channel[0] | channel[1] << 8
    predictor -= (predictor & 0x8000) << 1
    index = min(channel[2], 88)
    samples = []
    for octet in channel[4:132]:
        for code in (octet & 15, octet >> 4):
            step = STEPS[index]
            difference = step >> 3
            if code & 4:
                difference += step
            if code & 2:
                difference += step >> 1
            if code & 1:
                difference += step >> 2
            predictor = saturate(predictor + (-difference if code & 8 else difference))
            index = max(0, min(88, index + INDEX_CHANGE[code & 7]))
            samples.append(predictor)
    return samples


def resample(samples, n_in):
    """256 samples of one channel's n_in + 1, in the kernel's own fixed-point steps."""
    if n_in == 256:
        return samples[:256]
    result = [samples[0]]
    for i in range(1, 256):
        start, t = (i, i) if n_in == 257 else (i - 1, 256 - i)
        if start + 2 > n_in:
            result.append(samples[start] + ((samples[start + 1] - samples[start] + 128) >> 8))
            continue
        a, b, c, d = [samples[max(start + k, 0)] for k in (-1, 0, 1, 2)]
        cubic = d - a + 3 * (b - c)
        square = 2 * a - 5 * b + 4 * c - d
        sum_q3 = (cubic * t >> 5) + 8 * square
        sum_q3 = (sum_q3 * t >> 8) + 8 * (c - a)
        result.append(saturate(b + ((sum_q3 * t + 2048) >> 12)))
    return result


def resample_exactly(samples, n_in):
    """The same without rounding: the Catmull-Rom curve at i * n_in / 256, times 2 * 256**3."""
    unit = 2 * 256 * 256 * 256
    result = [samples[0] * unit]
    for i in range(1, 256):
        start, t = i * n_in // 256, i * n_in % 256
        a, b, c, d = [samples[min(max(start + k, 0), n_in)] for k in (-1, 0, 1, 2)]
        result.append(
            a * (-256 * 256 * t + 2 * 256 * t * t - t * t * t)
            + b * (unit - 5 * 256 * t * t + 3 * t * t * t)
            + c * (256 * 256 * t + 4 * 256 * t * t - 3 * t * t * t)
            + d * (-256 * t * t + t * t * t)
        )
    return result, unit
