"""Lays a board's captures beside the stream: which frame left the DAC when, how wrong it was.

The true error of a block is the instant its first placed frame left the DAC minus the instant the
stream's arithmetic asks for, `start_us + frame / 48000 s`: positive is late. House time of a lone
box is the machine's CLOCK_MONOTONIC, which captures are written in, so nothing is estimated here
but the frame's number, and that is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from boards.emulated import capture
from boards.emulated.capture import BLOCK_FRAMES, SegmentCapture
from tools.measure import counter, matching
from tools.measure.canonical import RATE, Canonical

NS_PER_FRAME = 1e9 / RATE

# A canonical sample up to here counts as silence when asking whether music was missed (-54 dBFS).
NEAR_SILENCE = 64
# Blocks further than this from the stream's own span are another session's, or silence's clicks.
_MARGIN_FRAMES = RATE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Frames = npt.NDArray[np.int16]

# Given blocks (n, 256, 2), their descriptors and the stream frames that their times suggest:
# (offset within the block, stream frame there, found), each (n,), as `counter.read` returns them.
Marker = Callable[[Frames, Ints, Floats], tuple[Ints, Ints, Bools]]


@dataclass(frozen=True)
class Stretch:
    """The part of one capture segment that played the stream; a value a found block, in order."""

    boot: int
    capture: SegmentCapture
    descriptor: Ints
    offset: Ints  # frame within the descriptor
    frame: Ints  # stream frame that sounded there
    time_ns: Floats  # when it left the DAC
    unread: int  # sounding blocks that could not be placed: too quiet, faded, not of this stream
    first_frame: int  # stream frame that sounded first; 0 also when all before it was silence
    first_ns: float  # when `first_frame` left the DAC


@dataclass(frozen=True)
class Played:
    """What one board played of one stream, over all its boots."""

    board: str
    pick: str
    start_us: int
    stretches: list[Stretch]

    @cached_property
    def time_ns(self) -> Floats:
        """Machine time at which each found block's placed frame left the DAC, float64 (n,)."""
        return np.concatenate([s.time_ns for s in self.stretches] or [np.zeros(0)])

    @cached_property
    def frame(self) -> Ints:
        """Stream frame of each found block, int64 (n,)."""
        return np.concatenate([s.frame for s in self.stretches] or [np.zeros(0, np.int64)])

    @cached_property
    def error_us(self) -> Floats:
        """True error of each found block against house time, float64 (n,); positive is late."""
        return (self.time_ns - self.start_us * 1e3 - self.frame * NS_PER_FRAME) / 1e3

    @property
    def ppm(self) -> float:
        """The crystal's error; 0 for a board that played nothing."""
        return self.stretches[-1].capture.segment.ppm if self.stretches else 0.0

    @property
    def unread(self) -> int:
        """Sounding blocks that could not be placed."""
        return sum(stretch.unread for stretch in self.stretches)


def counter_marker(pcm: Frames, descriptors: Ints, expected: Floats) -> tuple[Ints, Ints, Bools]:
    """Marker for the counter music of the benches."""
    del descriptors
    return counter.read(pcm, expected)


def matching_marker(canonical: Canonical, pick: str) -> Marker:
    """Marker for any other music: compares with the canonical PCM."""

    def mark(pcm: Frames, descriptors: Ints, expected: Floats) -> tuple[Ints, Ints, Bools]:
        wanted = np.round(expected).astype(np.int64)
        placed = matching.match(pcm, descriptors, canonical, pick, wanted)
        return np.zeros(len(pcm), np.int64), placed.frame, placed.found

    return mark


def align(
    board: str,
    captures: Sequence[str | Path],
    start_us: int,
    *,
    pick: str,
    canonical: Canonical,
    marker: Marker | None = None,
    since_us: int | None = None,
    until_us: int | None = None,
) -> Played:
    """Aligns all boots of one board with a stream.

    Args:
        board: its name, for reports.
        captures: one file a boot, oldest first.
        start_us: house time of stream frame 0.
        canonical: the session's PCM; blocks are compared with it when there is no `marker`.
        since_us, until_us: ignore what left the DAC earlier or later: another session's sound.

    Raises:
        FileNotFoundError: a capture is missing.
        CaptureError: a capture is damaged.
    """
    mark = marker or matching_marker(canonical, pick)
    stretches: list[Stretch] = []
    for boot, path in enumerate(captures):
        for segment in capture.load(path):
            stretch = _stretch(
                boot, segment, start_us, pick, canonical, mark, (since_us, until_us)
            )
            if stretch is not None:
                stretches.append(stretch)
    return Played(board, pick, start_us, stretches)


def _stretch(
    boot: int,
    recorded: SegmentCapture,
    start_us: int,
    pick: str,
    canonical: Canonical,
    mark: Marker,
    window_us: tuple[int | None, int | None],
) -> Stretch | None:
    """One segment beside the stream; None if it played nothing of it."""
    starts_ns = recorded.segment.times_ns(recorded.sound * BLOCK_FRAMES)
    expected = (starts_ns - start_us * 1e3) / NS_PER_FRAME
    near = (expected > -_MARGIN_FRAMES) & (expected < len(canonical) + _MARGIN_FRAMES)
    since_us, until_us = window_us
    if since_us is not None:
        near &= starts_ns >= since_us * 1e3
    if until_us is not None:
        near &= starts_ns < until_us * 1e3
    if not near.any():
        return None
    first, stop = int(np.argmax(near)), len(near) - int(np.argmax(near[::-1]))
    descriptor = recorded.sound[first:stop]
    pcm = recorded.pcm(first, stop)
    offset, frame, found = mark(pcm, descriptor, expected[first:stop])
    if not found.any():
        return None
    lead = int(np.argmax(found))
    first_frame, first_ns = _first_sound(
        recorded, pcm, descriptor, lead, int(frame[lead] - offset[lead]), canonical, pick
    )
    return Stretch(
        boot,
        recorded,
        descriptor[found],
        offset[found],
        frame[found],
        recorded.segment.times_ns(descriptor[found] * BLOCK_FRAMES + offset[found]),
        int(np.count_nonzero(~found)),
        first_frame,
        first_ns,
    )


def _first_sound(
    recorded: SegmentCapture,
    pcm: Frames,
    descriptor: Ints,
    lead: int,
    lead_frame: int,
    canonical: Canonical,
    pick: str,
) -> tuple[int, float]:
    """(stream frame that sounded first, when); `lead`, at `lead_frame`, is the first found."""
    block = lead
    while block > 0 and descriptor[block - 1] == descriptor[block] - 1:
        block -= 1
    within = int(np.argmax(pcm[block].any(axis=1)))
    dac_frame = int(descriptor[block]) * BLOCK_FRAMES + within
    frame = lead_frame - (int(descriptor[lead]) * BLOCK_FRAMES - dac_frame)
    if (
        frame > 0
        and np.abs(canonical.picked(0, frame, pick).astype(np.int32)).max() <= NEAR_SILENCE
    ):
        dac_frame -= frame
        frame = 0
    return frame, recorded.segment.time_ns(dac_frame)
