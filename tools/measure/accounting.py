"""Accounts for every frame of a stream: which were left out, repeated, or gave way to silence.

Between two placed blocks the stream must advance as far as the DAC did. One frame more or less is
a trim, the renderer's own means of steering; more is a jump. Silence between the first and the
last block is a dropout: EMPTY descriptors mean that the DMA ran dry (an underrun), written silence
that the firmware had nothing to play.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from boards.emulated.capture import BLOCK_FRAMES, EMPTY, Ints
from tools.measure.align import NEAR_SILENCE, NS_PER_FRAME, Played, Stretch
from tools.measure.canonical import Canonical

# Every block may be trimmed, also those that could not be placed: a slip of a frame a block is
# trims, over short gaps; over long ones a trim in so many blocks.
_SHORT_GAP = 4
_BLOCKS_PER_TRIM = 8


@dataclass(frozen=True)
class Dropout:
    """Silence where the stream had sound."""

    boot: int
    time_ns: float
    descriptors: int
    underrun: bool  # the DMA ran dry; else the firmware wrote the silence itself

    @property
    def seconds(self) -> float:
        """How long the silence was."""
        return self.descriptors * BLOCK_FRAMES * NS_PER_FRAME / 1e9


@dataclass(frozen=True)
class Jump:
    """The stream position changed by more than a trim."""

    boot: int
    time_ns: float
    frames: int  # positive: so many were never played; negative: played again


@dataclass(frozen=True)
class Account:
    """One board's books over a stream."""

    trims: int  # frames inserted or dropped by steering
    left_out: int  # stream frames never played, trims and jumps together
    repeated: int  # stream frames played twice
    jumps: list[Jump]
    dropouts: list[Dropout]

    @property
    def underruns(self) -> int:
        """Times the DMA ran dry during the music: the truth beside the board's own count."""
        return sum(dropout.underrun for dropout in self.dropouts)


def account(played: Played, canonical: Canonical, until_us: int | None = None) -> Account:
    """The books of everything a board played.

    With `until_us`, silence from the last block to that instant counts as a dropout too: a board
    that fell silent for good is not excused.
    """
    trims = left_out = repeated = 0
    jumps: list[Jump] = []
    dropouts: list[Dropout] = []
    for stretch in played.stretches:
        start = stretch.frame - stretch.offset
        apart = np.diff(stretch.descriptor)
        slip = np.diff(start) - apart * BLOCK_FRAMES
        left_out += int(slip[slip > 0].sum())
        repeated -= int(slip[slip < 0].sum())
        jumped = np.abs(slip) > np.minimum(apart, _SHORT_GAP + apart // _BLOCKS_PER_TRIM)
        trims += int(np.abs(slip[~jumped]).sum())
        jumps += [
            Jump(stretch.boot, float(stretch.time_ns[at + 1]), int(slip[at]))
            for at in np.flatnonzero(jumped)
        ]
        dropouts += _dropouts(stretch, played.pick, canonical, until_us)
    return Account(trims, left_out, repeated, jumps, dropouts)


def _dropouts(
    stretch: Stretch, pick: str, canonical: Canonical, until_us: int | None
) -> list[Dropout]:
    recorded = stretch.capture
    first, last = int(stretch.descriptor[0]), int(stretch.descriptor[-1])
    if until_us is not None:
        segment = recorded.segment
        frames = (until_us * 1e3 - segment.t0_ns) * segment.rate_actual / 1e9
        last = max(last, min(recorded.ends, int(frames // BLOCK_FRAMES)))
    found: list[Dropout] = []
    for begin, stop, flags in _merged(recorded.runs, first, last):
        before = int(np.searchsorted(stretch.descriptor, begin)) - 1
        frame = int(
            stretch.frame[before]
            - stretch.offset[before]
            + (begin - stretch.descriptor[before]) * BLOCK_FRAMES
        )
        wanted = canonical.picked(frame, frame + (stop - begin) * BLOCK_FRAMES, pick)
        loud = bool((np.abs(wanted.astype(np.int32)) > NEAR_SILENCE).any())
        underrun = bool(flags & EMPTY) and 0 <= frame < len(canonical)
        if underrun or loud:
            time_ns = recorded.segment.time_ns(begin * BLOCK_FRAMES)
            found.append(Dropout(stretch.boot, time_ns, stop - begin, underrun))
    return found


def _merged(runs: Ints, first: int, last: int) -> list[tuple[int, int, int]]:
    """Adjoining silences as one, clipped to descriptors first..last: (begin, stop, flags)."""
    merged: list[tuple[int, int, int]] = []
    for index, count, flags in runs.tolist():
        begin, stop = max(index, first), min(index + count, last)
        if begin >= stop:
            continue
        if merged and merged[-1][1] == begin:
            begin, flags = merged[-1][0], merged[-1][2] | flags
            merged.pop()
        merged.append((begin, stop, flags))
    return merged


@dataclass(frozen=True)
class Exactness:
    """Whether a capture is the canonical PCM, bit for bit."""

    frames: int  # compared
    equal: bool
    first_difference: int | None  # stream frame


def exactness(played: Played, canonical: Canonical, frames: int | None = None) -> Exactness:
    """Compares what a board played with what it was asked to, every frame from the first.

    Args:
        frames: how many stream frames must have been played; what was captured when None.
    """
    if not played.stretches:
        return Exactness(0, False, 0)
    stretch = played.stretches[0]
    recorded = stretch.capture
    begin = int(stretch.descriptor[0])
    origin = int(stretch.frame[0] - stretch.offset[0]) - begin * BLOCK_FRAMES
    compared = 0
    for at, pcm in recorded.batches():
        numbers = recorded.sound[at : at + len(pcm)]
        for number, block in zip(numbers, pcm, strict=True):
            frame = origin + int(number) * BLOCK_FRAMES
            if number < begin or (frames is not None and frame >= frames):
                continue
            if max(frame, 0) > compared and canonical.picked(compared, frame, played.pick).any():
                return Exactness(compared, False, compared)
            wanted = canonical.picked(frame, frame + BLOCK_FRAMES, played.pick)
            stop = BLOCK_FRAMES if frames is None else min(BLOCK_FRAMES, frames - frame)
            differing = (wanted[:stop] != block[:stop]).any(axis=1)
            if differing.any():
                at_frame = frame + int(np.argmax(differing))
                return Exactness(at_frame, False, at_frame)
            compared = frame + stop
    reached = frames is None or compared >= frames
    return Exactness(compared, reached, None if reached else compared)


def longest(dropouts: Sequence[Dropout]) -> float:
    """Seconds of the longest dropout, 0 for none."""
    return max((dropout.seconds for dropout in dropouts), default=0.0)
