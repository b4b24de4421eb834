"""Sample arithmetic: the viper kernels between the ring and the DAC.

Every kernel works on buffers its caller allocated and allocates nothing. Buffers may be anything
with the buffer protocol; samples are signed 16-bit in CPU order, stereo interleaved. Arguments
ending in `_at` are offsets from the buffer's start: samples, except where a docstring says bytes.
16- and 32-bit buffers must start on their own alignment, as bytearrays do (an ESP32 faults on an
unaligned load). Nothing checks bounds: the caller does, once a block.

Viper holds the interpreter until it returns, so a call takes at most 512 frames (about 2 ms).

Written for two machines that differ: Xtensa has 32-bit words, x64 has 64-bit words and loads 16-
and 32-bit values without their sign. Hence `(x ^ 0x8000) - 0x8000` for a sample, intermediate
values within 31 bits, and stores that are masked to 16 bits (which CPython insists on).
Samples are often kept in offset binary (`x ^ 0x8000`, 0..65535), where clamping is cheap.
On Xtensa the first two parameters live in registers and all else on the stack, so `dst_at` is
reused as the running index. Costs are in `phantom bench dsp`.
"""

import array

import micropython

MAX_FRAMES = micropython.const(512)
UNITY_Q15 = micropython.const(32768)


@micropython.viper
def copy(dst: ptr16, dst_at: int, src: ptr16, src_at: int, count: int):
    """Copy `count` samples forward; an overlapping move toward lower addresses is safe.

    Two samples at a time (three times as fast) where both offsets are even.
    """
    count += dst_at
    src_at -= dst_at
    if not (int(uint(dst) | uint(src)) & 3 | (dst_at | src_at) & 1):
        to = ptr32(dst)
        words = ptr32(src)
        src_word = src_at >> 1
        last = (count >> 1) - 4
        dst_at >>= 1
        while dst_at <= last:
            to[dst_at] = words[dst_at + src_word]
            dst_at += 1
            to[dst_at] = words[dst_at + src_word]
            dst_at += 1
            to[dst_at] = words[dst_at + src_word]
            dst_at += 1
            to[dst_at] = words[dst_at + src_word]
            dst_at += 1
        dst_at <<= 1
    while dst_at < count:
        dst[dst_at] = src[dst_at + src_at]
        dst_at += 1


@micropython.viper
def copy_bytes(dst: ptr8, dst_at: int, src: ptr8, src_at: int, count: int):
    """Copy `count` bytes forward, as copy() does; all offsets in bytes.

    Moves words: aligned ones where dst_at - src_at is a multiple of 4, else each joined from two.
    """
    count += dst_at
    src_at -= dst_at
    if count - dst_at >= 16 and not int(uint(dst) | uint(src)) & 3:
        while dst_at & 3:
            dst[dst_at] = src[dst_at + src_at]
            dst_at += 1
        to = ptr32(dst)
        words = ptr32(src)
        src_word = src_at >> 2
        last = (count >> 2) - 2
        dst_at >>= 2
        down = (src_at & 3) << 3
        if down:
            up = 32 - down
            low_mask = (1 << up) - 1
            high_mask = (1 << down) - 1
            low = words[dst_at + src_word]
            src_word += 1
            while dst_at <= last:
                high = words[dst_at + src_word]
                to[dst_at] = (low >> down & low_mask) | (high & high_mask) << up
                low = high
                dst_at += 1
        while dst_at <= last:
            to[dst_at] = words[dst_at + src_word]
            dst_at += 1
            to[dst_at] = words[dst_at + src_word]
            dst_at += 1
        dst_at <<= 2
    while dst_at < count:
        dst[dst_at] = src[dst_at + src_at]
        dst_at += 1


@micropython.viper
def silence(dst: ptr16, dst_at: int, samples: int):
    """Zero `samples` samples."""
    samples += dst_at
    while dst_at < samples:
        dst[dst_at] = 0
        dst_at += 1


@micropython.viper
def spread(dst: ptr16, dst_at: int, src: ptr16, src_at: int, frames: int):
    """Put `frames` mono samples on both channels of `dst`.

    Runs from the last frame to the first: in place is safe when dst_at >= src_at.
    """
    dst_at += frames << 1
    frames += src_at
    while frames > src_at:
        frames -= 1
        dst_at -= 2
        x = src[frames]
        dst[dst_at] = x
        dst[dst_at + 1] = x


@micropython.viper
def gain(buf: ptr16, at: int, frames: int, gain_from_q15: int, gain_to_q15: int):
    """Scale `frames` stereo frames in place; gains 0..32768, rounded to nearest, halves upward.

    Frame i gets gain_from + (gain_to - gain_from) * i / frames, so the next block starts at
    gain_to. Unity to unity changes nothing. The largest product is -32768 * 32768 = -2**30.
    """
    if frames == 0:
        return
    if gain_from_q15 == gain_to_q15 and gain_from_q15 == 32768:
        return
    level = gain_from_q15 << 14
    step = ((gain_to_q15 - gain_from_q15) << 14) // frames
    end = at + (frames << 1)
    while at < end:
        g = level >> 14
        level += step
        buf[at] = (((buf[at] ^ 0x8000) - 0x8000) * g + 0x4000 >> 15) & 0xFFFF
        at += 1
        buf[at] = (((buf[at] ^ 0x8000) - 0x8000) * g + 0x4000 >> 15) & 0xFFFF
        at += 1


@micropython.viper
def mix(dst: ptr16, dst_at: int, src: ptr16, src_at: int, samples: int):
    """Add `samples` samples of `src` to `dst`, saturating."""
    end = dst_at + samples
    src_at -= dst_at
    while dst_at < end:
        x = (dst[dst_at] ^ 0x8000) + (src[dst_at + src_at] ^ 0x8000) - 0x8000
        if x >> 16:
            if x < 0:
                x = 0
            else:
                x = 0xFFFF
        dst[dst_at] = x ^ 0x8000
        dst_at += 1


@micropython.viper
def resample(dst: ptr16, dst_at: int, src: ptr16, src_at: int, channels: int, n_in: int):
    """Make 256 output frames of n_in = 255, 256 or 257 input frames.

    Output frame i lies at input position i * n_in / 256, so the phase is whole again where the
    next block starts. 255 and 257 need one frame of look-ahead: src holds n_in + 1 frames from
    src_at. dst and src must not overlap.

    Interpolates with the cubic through two frames on either side (Catmull and Rom, 1974), since
    a straight line would dull the treble of every trimmed block: 2 dB at 10 kHz instead of 0.5.
    """
    if n_in == 256:
        channels <<= 8
        src_at -= dst_at
        channels += dst_at
        while dst_at < channels:
            dst[dst_at] = src[dst_at + src_at]
            dst_at += 1
        return
    channel = 0
    while channel < channels:
        dst[dst_at] = src[src_at]
        # b .. c is the interval that the output frame lies in, at t / 256; offset binary.
        b = src[src_at] ^ 0x8000
        c = b  # stands in for frame -1, whose weight would be below 0.002
        at = src_at + channels
        t = 256
        t_step = -1
        last = dst_at + channels * 254
        if n_in == 257:
            c = src[at] ^ 0x8000
            at += channels
            t = 0
            t_step = 1
            last += channels
        d = src[at] ^ 0x8000
        while dst_at < last:
            dst_at += channels
            at += channels
            t += t_step
            a = b
            b = c
            c = d
            d = src[at] ^ 0x8000
            k3 = d - a + 3 * (b - c)
            x = (k3 * t >> 5) + ((a - b - b + c - k3) << 3)  # below 2**22: x * t has 31 bits
            x = (x * t >> 8) + ((c - a) << 3)
            x = b + (x * t + 2048 >> 12)
            if x >> 16:
                if x < 0:
                    x = 0
                else:
                    x = 0xFFFF
            dst[dst_at] = x ^ 0x8000
        if n_in == 255:  # frame 255 would need a frame beyond the look-ahead
            dst_at += channels
            dst[dst_at] = c + (d - c + 128 >> 8) ^ 0x8000
        channel += 1
        src_at += 1
        dst_at += 1 - 255 * channels


# Standard IMA step sizes (IMA Digital Audio Focus and Technical Working Group, 1992).
_STEPS = (
    7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66,
    73, 80, 88, 97, 107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408,
    449, 494, 544, 598, 658, 724, 796, 876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066,
    2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428, 4871, 5358, 5894, 6484, 7132, 7845, 8630,
    9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350, 22385, 24623, 27086, 29794,
    32767,
)  # fmt: skip


@micropython.viper
def _fill_adpcm_tables(tables: ptr32, steps: ptr16):
    index = 0
    while index < 89:
        step = int(steps[index])
        code = 0
        while code < 16:
            diff = step >> 3
            if code & 4:
                diff += step
            if code & 2:
                diff += step >> 1
            if code & 1:
                diff += step >> 2
            if code & 8:
                diff = -diff
            after = index - 1
            if code & 4:
                after = index + ((code & 3) + 1 << 1)
            if after < 0:
                after = 0
            if after > 88:
                after = 88
            tables[(index << 4) + code] = (diff + 0x10000 << 11) + (after << 4)
            code += 1
        index += 1


# One 32-bit word for each step index and code: (difference + 65536) << 11 | next index << 4.
ADPCM_TABLES = bytearray(89 * 16 * 4)
_fill_adpcm_tables(ADPCM_TABLES, array.array("H", _STEPS))  # pyright: ignore[reportArgumentType]


@micropython.viper
def decode_adpcm(dst: ptr16, dst_at: int, stride: int, src: ptr8, src_at: int, tables: ptr32):
    """Decode one channel of a chunk: 256 samples to dst[dst_at + i * stride].

    src_at is in bytes and points at the channel's header (see wire/audio.py); tables is
    ADPCM_TABLES. Any 132 bytes decode to something: a step index above 88 counts as 88.
    """
    x = (src[src_at] | src[src_at + 1] << 8) ^ 0x8000
    row = int(src[src_at + 2])
    if row > 88:
        row = 88
    row <<= 4
    src_at += 4
    end = src_at + 128
    while src_at < end:
        codes = src[src_at]
        src_at += 1
        entry = tables[row + (codes & 15)]
        row = entry & 0x7FF
        x += entry >> 11  # offset binary plus 0x10000
        if x >> 16 != 1:
            if x < 0x10000:
                x = 0x10000
            else:
                x = 0x1FFFF
        dst[dst_at] = x ^ 0x18000
        dst_at += stride
        entry = tables[row + (codes >> 4)]
        row = entry & 0x7FF
        x = (x & 0xFFFF) + (entry >> 11)
        if x >> 16 != 1:
            if x < 0x10000:
                x = 0x10000
            else:
                x = 0x1FFFF
        dst[dst_at] = x ^ 0x18000
        x &= 0xFFFF
        dst_at += stride
