"""The line between two clouds: offset and skew from one-way delays, in integers.

Every exchange bounds the offset between two clocks at a moment: it lies below what the way there
measured and above what the way back measured, since no packet arrives before it is sent. For a
skew s the tightest bounds of a window of exchanges, carried to `now`, are

    upper(s) = min over i of  there_i + s * age_i
    lower(s) = max over i of  back_i  + s * age_i

and upper - lower is concave in s, largest where the line fits between the clouds best (the linear
programme of Moon, Skelly & Towsley, "Estimation and removal of clock skew from network delay
measurements", INFOCOM 1999, with both directions at once). The offset is the middle: each
direction is judged by its own fastest packets, which need not be the same exchange.
"""

import micropython
from micropython import const

# Layout of a point in the window's array of 32-bit integers.
TIME = const(0)  # 1/1024 s, 29 bits, wrapping
THERE = const(1)  # 1/64 us + BIAS
BACK = const(2)  # 1/64 us + BIAS
FIELDS = const(3)
BIAS = const(0x20000000)
TIME_MASK = const(0x1FFFFFFF)

# Skews in 1/64 ppm.
SKEW_UNIT = const(64)


@micropython.viper
def edges(points: ptr32, count: int, now: int, skew: int, out: ptr32):
    """Bounds at `now` for one skew: out = upper + 0, lower, age of each one's point.

    Bounds are in 1/64 us plus BIAS, so never negative; ages in 1/1024 s.
    """
    upper = 0x3FFFFFFF
    lower = 0
    upper_age = 0
    lower_age = 0
    i = 0
    while i < count:
        at = i * 3
        age = (now - int(points[at])) & 0x1FFFFFFF
        move = (skew * age) >> 10
        there = int(points[at + 1]) + move
        back = int(points[at + 2]) + move
        if there < upper:
            upper = there
            upper_age = age
        if back > lower:
            lower = back
            lower_age = age
        i += 1
    out[0] = upper
    out[1] = lower
    out[2] = upper_age
    out[3] = lower_age
