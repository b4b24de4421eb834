"""From decoded sound of any rate to canonical PCM: joining, resampling, rounding.

Between the steps, sound is float64 of shape (frames, 2) in units of one 16-bit step: −32768 to
32768. So what is 16-bit already is integers, and goes through unchanged, bit for bit.

The same files give the same PCM on every box, whatever the sizes of the blocks in which they are
decoded: soxr's result doesn't depend on them, and the dither is a function of the frame's number.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from phantom.wire import RATE

from .ring import Frames

Sound = NDArray[np.float64]
"""Shape (frames, 2), in 16-bit steps."""

FULL_SCALE = 32768.0

# soxr's very high quality (28 bits, passband to 95.6 % of the lower Nyquist frequency). In double
# precision, what two CPUs may disagree on is 2**-40 of a 16-bit step; and it is no slower than HQ.
_QUALITY = "VHQ"

# 1.4 s: too long for the repetition of a noise 93 dB below full scale to be heard.
_DITHER_FRAMES = 1 << 16
_DITHER_SEED = 48000


class Resampling:
    """Joins tracks of any rate into one uninterrupted sound of 48 kHz.

    Where the rate doesn't change from one track to the next, the resampler runs on across the
    joint: nothing is inserted, nothing lost, and two halves of a recording sound like the whole.

    Frame n of a run of input at one rate sounds at output frame n · 48000 / rate, and a run of n
    input frames gives floor(n · 48000 / rate + ½) output frames (soxr's own rounding).
    """

    def __init__(self) -> None:
        self._rate: int = RATE
        self._resampler: soxr.ResampleStream | None = None
        self._taken = 0  # input frames of this run
        self._before = 0  # output frames of the runs before

    @property
    def due(self) -> int:
        """Output frames that all input so far amounts to, given out or still in the resampler."""
        return self._before + (2 * self._taken * RATE + self._rate) // (2 * self._rate)

    def push(self, sound: Sound, rate: int) -> Iterator[Sound]:
        """Takes sound of `rate` frames a second; yields what of the output is ready."""
        if rate != self._rate:
            yield from self.finish()
            self._rate = rate
            if rate != RATE:
                self._resampler = soxr.ResampleStream(rate, RATE, 2, "float64", _QUALITY)
        self._taken += len(sound)
        yield sound if self._resampler is None else self._resampler.resample_chunk(sound)

    def finish(self) -> Iterator[Sound]:
        """Yields what is still in the resampler, and ends the run."""
        if self._resampler is not None:
            yield self._resampler.resample_chunk(np.empty((0, 2)), last=True)
        self._before, self._taken = self.due, 0
        self._rate, self._resampler = RATE, None


class Rounding:
    """Rounds sound to 16 bits, with dither where there is something to round.

    The dither is triangular, two steps wide, the same at the same frame of a track each time. What
    is a whole number of steps already, digital silence included, is left as it is.
    """

    def __init__(self) -> None:
        # Only the raw output of a bit generator is the same in all versions of numpy.
        raw = np.random.PCG64(_DITHER_SEED).random_raw(2 * _DITHER_FRAMES * 2)
        uniform = (raw >> np.uint64(11)).astype(np.float64) / 2.0**53 - 0.5
        self._dither: Sound = uniform.reshape(2, -1).sum(axis=0).reshape(-1, 2)

    def round(self, sound: Sound, frame: int) -> Frames:
        """Canonical PCM of `sound`, whose first frame is number `frame` of its track."""
        whole = np.rint(sound)
        if not np.array_equal(whole, sound):
            numbers = np.arange(frame, frame + len(sound)) % _DITHER_FRAMES
            dithered = np.rint(sound + self._dither[numbers])
            whole = np.where(whole == sound, whole, dithered)
        return np.clip(whole, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
