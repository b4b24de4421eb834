"""Finds captured blocks in the canonical PCM: any music, at any volume, through ADPCM too.

How far a block is from a stretch of the canonical PCM is told by the residual of the best gain,

    r = 1 - (x.y)^2 / ((x.x)(y.y)),  0 for the same sound at any volume, 1 for no likeness,

summed over both outputs (least squares; the same as one minus the squared normalised correlation).
The walk assumes that a block follows its predecessor, tests that for many blocks at once against
the positions one frame to either side, and searches only where the assumption fails: at a trim, a
gap, a jump. Blocks too quiet or too even to tell are left out, not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from boards.emulated.capture import BLOCK_FRAMES
from tools.measure.canonical import Canonical

# Residual up to which a block counts as found; IMA-ADPCM of loud noise stays near 0.02.
LIMIT = 0.35
# The best position's residual must be this far below every other's (beyond NEAR frames) to be
# unique.
_UNIQUE = 0.6
_NEAR = 3
# A shift of one frame is judged only where the residuals differ by this share.
_CLEAR = 0.15
# Mean square of a block below which it is too quiet to tell (2 of 32768 rms).
_QUIET = 4.0
# How far to look: after a trim, after a re-align (20 ms = 960 frames), at first sight.
SPANS = (16, 1200, 4800)
_BATCH = 512
# Frames of a block's beginning that a trim within it has moved by less than half a frame.
_BEGINNING = 96
_MAX_SKIP = 16

Frames = npt.NDArray[np.int16]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass
class Match:
    """Stream frame of each block's first frame, and whether it was found."""

    frame: Ints
    found: Bools


def residual(block: npt.NDArray[np.float64], canonical: npt.NDArray[np.float64]) -> float:
    """`r` of the module's formula for two stretches of one shape; 1 where either is silent."""
    power = float((block * block).sum() * (canonical * canonical).sum())
    product = float((block * canonical).sum())
    return 1.0 if power == 0.0 or product <= 0.0 else 1.0 - product * product / power


def search(block: Frames, canonical: Canonical, pick: str, expected: int, span: int) -> int | None:
    """Stream frame of a block's start within `expected` ± `span`; None if none is certain."""
    x = block.astype(np.float64)
    energy = float((x * x).sum())
    if energy < _QUIET * x.size:
        return None
    first = expected - span
    y = canonical.picked(first, expected + span + len(block), pick).astype(np.float64)
    product = np.correlate(y[:, 0], x[:, 0], "valid") + np.correlate(y[:, 1], x[:, 1], "valid")
    sums = np.concatenate(([0.0], np.cumsum((y * y).sum(axis=1))))
    power = (sums[len(block) :] - sums[: -len(block)]) * energy
    r = np.ones(len(power))
    usable = (product > 0.0) & (power > energy * _QUIET)
    r[usable] = 1.0 - product[usable] ** 2 / power[usable]
    best = int(np.argmin(r))
    if r[best] > LIMIT:
        return None
    others = np.concatenate((r[: max(0, best - _NEAR)], r[best + _NEAR + 1 :]))
    if len(others) and r[best] > _UNIQUE * float(others.min()):
        return None
    return first + best


def match(
    pcm: Frames, descriptors: Ints, canonical: Canonical, pick: str, expected: Ints
) -> Match:
    """Places every block of a segment in the stream.

    Args:
        pcm: (n, 256, 2) sounding blocks; descriptors: (n,) their numbers, ascending.
        expected: (n,) stream frame that each block's time suggests.
    """
    walk = _Walk(pcm, descriptors, canonical, pick, expected)
    walk.run()
    walk.refine()
    return Match(walk.frame, walk.found)


class _Walk:
    def __init__(
        self, pcm: Frames, descriptors: Ints, canonical: Canonical, pick: str, expected: Ints
    ) -> None:
        self.pcm, self.descriptors, self.expected = pcm, descriptors, expected
        self.canonical, self.pick = canonical, pick
        self.frame = np.zeros(len(pcm), np.int64)
        self.found = np.zeros(len(pcm), np.bool_)
        self._anchor: tuple[int, int] | None = None  # (descriptor, stream frame)

    def run(self) -> None:
        at, skip = 0, 1
        while at < len(self.pcm):
            if self._anchor is None and not self._first_sight(at):
                at += skip
                skip = min(skip * 2, _MAX_SKIP)
                continue
            skip = 1
            at = self._follow(at)

    def _first_sight(self, at: int) -> bool:
        """Anchors on block `at` wherever it is."""
        for span in SPANS[1:]:
            found = self._search(at, int(self.expected[at]), span)
            if found is not None:
                self._anchor = (int(self.descriptors[at]), found)
                return True
        return False

    def _search(self, at: int, expected: int, span: int) -> int | None:
        return search(self.pcm[at], self.canonical, self.pick, expected, span)

    def _predicted(self, first: int, stop: int) -> Ints:
        assert self._anchor is not None
        descriptor, frame = self._anchor
        return frame + (self.descriptors[first:stop] - descriptor) * BLOCK_FRAMES

    def _follow(self, at: int) -> int:
        """Takes a batch along the anchor's line; returns the first block not dealt with."""
        stop = min(at + _BATCH, len(self.pcm))
        gaps = np.flatnonzero(np.diff(self.descriptors[at:stop]) != 1)
        if len(gaps):
            stop = at + int(gaps[0]) + 1
        predicted = self._predicted(at, stop)
        good, astray = self._judge(self.pcm[at:stop], int(predicted[0]))
        wrong = np.flatnonzero(astray)
        count = int(wrong[0]) if len(wrong) else stop - at
        self.frame[at : at + count] = predicted[:count]
        self.found[at : at + count] = good[:count]
        if count < stop - at:
            self._turn(at + count, int(predicted[count]))
            return at + count + (0 if self._anchor is None else 1)
        return stop

    def _judge(self, pcm: Frames, frame: int) -> tuple[Bools, Bools]:
        """(good, astray) of consecutive blocks whose first is thought to start at `frame`."""
        count = len(pcm)
        wide = self.canonical.picked(frame - 1, frame + count * BLOCK_FRAMES + 1, self.pick)
        shape = (count, BLOCK_FRAMES, 2)
        middle = wide[1:-1].reshape(shape)
        lively = np.ptp(middle.reshape(count, -1), axis=1) > 0
        equal = (middle == pcm).all(axis=(1, 2)) & lively
        if equal.all():
            return equal, ~equal
        x = pcm.astype(np.float64)
        r = np.stack(
            [
                _residuals(x, wide[shift : shift + count * BLOCK_FRAMES].reshape(shape))
                for shift in range(3)
            ]
        )
        quiet = (x * x).mean(axis=(1, 2)) < _QUIET
        sides = np.minimum(r[0], r[2])
        clear = np.abs(sides - r[1]) > _CLEAR * np.minimum(sides, r[1])
        here = (r[1] < LIMIT) & (r[1] < sides) & clear
        astray = ~quiet & ((r[1] > LIMIT) | (clear & (sides < r[1])))
        return equal | (here & ~quiet), astray & ~equal

    def _turn(self, at: int, predicted: int) -> None:
        """Block `at` is not where the line leads: a trim, a jump, or no sound of this stream."""
        after = at + 1
        if after < len(self.pcm) and self.descriptors[after] == self.descriptors[at] + 1:
            ahead = self._search(after, predicted + BLOCK_FRAMES, SPANS[0])
            if ahead is not None and abs(ahead - predicted - BLOCK_FRAMES) <= 2:
                self._bend(at, predicted, ahead - BLOCK_FRAMES)
                return
        for span in SPANS:
            found = self._search(at, int(self.expected[at]), span)
            if found is not None:
                self._anchor = (int(self.descriptors[at]), found)
                self.frame[at], self.found[at] = found, True
                return
        self._anchor = None

    def _bend(self, at: int, predicted: int, shifted: int) -> None:
        """Trims in block `at` or just before; which of the two, `refine` will tell."""
        self.frame[at], self.found[at] = predicted, True
        self._anchor = (int(self.descriptors[at]), shifted)

    def refine(self) -> None:
        """Places the blocks around every trim by their first frames alone.

        A resampled block glides from one position to the next, and only its beginning says where
        it began; several in a row look like blocks that lie in between.
        """
        placed = np.flatnonzero(self.found)
        slip = np.diff(self.frame[placed]) - np.diff(self.descriptors[placed]) * BLOCK_FRAMES
        turns = np.flatnonzero(slip)
        around = np.unique(turns[:, None] + np.arange(-1, 4)).clip(0, max(0, len(placed) - 1))
        for at in placed[np.unique(around)] if len(turns) else ():
            x = self.pcm[at, :_BEGINNING].astype(np.float64)
            first = int(self.frame[at]) - _NEAR
            stop = first + 2 * _NEAR + _BEGINNING
            y = self.canonical.picked(first, stop, self.pick).astype(np.float64)
            r = [residual(x, y[shift : shift + _BEGINNING]) for shift in range(2 * _NEAR + 1)]
            self.frame[at] = first + int(np.argmin(r))
            self.found[at] = min(r) < LIMIT


def _residuals(x: npt.NDArray[np.float64], y: Frames) -> npt.NDArray[np.float64]:
    """`r` of (n, 256, 2) blocks against (n, 256, 2) stretches: (n,)."""
    wide = y.astype(np.float64)
    product = np.einsum("nij,nij->n", x, wide)
    power = np.einsum("nij,nij->n", x, x) * np.einsum("nij,nij->n", wide, wide)
    r = np.ones(len(x))
    usable = (power > 0.0) & (product > 0.0)
    r[usable] = 1.0 - product[usable] ** 2 / power[usable]
    return r
