"""Music that is its own frame counter: every sample tells which stream frame it is.

Both channels of stream frame n hold (n mod 65536) - 32768, so left, right, both and the mono mix
are all the counter, and 1.365 s go by before a value comes again. It lives on PCM16 at full volume
only: a gain or a lossy codec would count wrong.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from boards.emulated.capture import BLOCK_FRAMES

PERIOD = 1 << 16
_HALF = PERIOD // 2

# A block resampled by one frame spans 254 or 256 frames between its first and last sample.
_SLACK = 1
_PROBES = (64, 128, 192, BLOCK_FRAMES - 1)
# Of the steps inside a ragged block (silence before the start, a wrap met by interpolation), this
# share must count by exactly one for its numbers to be believed.
_MIN_STEPS = 16
_MIN_SHARE = 0.9

Frames = npt.NDArray[np.int16]
Ints = npt.NDArray[np.int64]


def counter(first: int, frames: int) -> Frames:
    """Stream frames `first` to `first + frames` of the counter, (frames, 2) int16."""
    values = ((np.arange(first, first + frames) % PERIOD) - _HALF).astype(np.int16)
    return np.stack((values, values), axis=1)


def read(
    pcm: Frames, expected: npt.NDArray[np.float64]
) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Where in the stream each block is.

    Args:
        pcm: (n, 256, 2) blocks as captured.
        expected: (n,) stream frame that each block's time suggests; settles the 65536 ambiguity.

    Returns:
        offset (n,): the frame within the block that the position belongs to (0 but for ragged
        blocks); frame (n,): its stream frame; readable (n,): False where the block is no counter.
    """
    counts = pcm[:, :, 0].astype(np.int64) + _HALF
    readable = np.ones(len(counts), np.bool_)
    for probe in _PROBES:
        span = (counts[:, probe] - counts[:, 0]) % PERIOD
        readable &= np.abs(span - probe) <= _SLACK
    offset = np.zeros(len(counts), np.int64)
    for row in np.flatnonzero(~readable):
        start = _first_counted(counts[row])
        if start is not None:
            offset[row] = start
            readable[row] = True
    values = counts[np.arange(len(counts)), offset]
    turns = np.round((expected + offset - values) / PERIOD).astype(np.int64)
    return offset, values + turns * PERIOD, readable


def _first_counted(counts: Ints) -> int | None:
    """First frame from which a ragged block (silence at an end) counts, or None."""
    sounding = np.flatnonzero(counts != _HALF)
    if len(sounding) < _MIN_STEPS:
        return None
    first, last = int(sounding[0]), int(sounding[-1])
    steps = np.diff(counts[first : last + 1]) % PERIOD
    if np.count_nonzero(steps == 1) < max(_MIN_STEPS, _MIN_SHARE * len(steps)):
        return None
    return first
