"""True error while the music plays: the newest captured block in the box's growing PCM dump."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from boards.emulated.capture import BLOCK_FRAMES, CaptureReader, Record
from tools.measure.align import NS_PER_FRAME
from tools.measure.canonical import Canonical
from tools.measure.matching import SPANS, search

# A capture whose newest sound is older than this tells nothing of now.
_STALE_NS = 2e9
# How many of the newest blocks are tried when the newest is too quiet to place.
_TRIES = 4


class LiveError:
    """Follows one board's capture; `update` gives its latest true error."""

    def __init__(self, canonical: Canonical, pick: str, start_us: int) -> None:
        self._canonical = canonical
        self._pick = pick
        self._start_us = start_us
        self._reader: CaptureReader | None = None
        self._slip: int | None = None  # stream frame minus expected frame, last time it was found

    def update(self, path: Path, now_ns: int) -> float | None:
        """True error in us of the newest sound in the capture at `path`, or None if that is
        unknown.

        A board that has restarted has another path; its new capture is followed from then on.
        """
        if self._reader is None or self._reader.path != path:
            self._reader = CaptureReader(path)
            self._slip = None
        sounding = [record for record in self._reader.poll() if record.flags == 0]
        for record in reversed(sounding[-_TRIES:]):
            segment = self._reader.segments[record.segment]
            time_ns = segment.time_ns(record.index * BLOCK_FRAMES)
            if now_ns - time_ns > _STALE_NS:
                return None
            frame = self._place(self._reader, record, time_ns)
            if frame is not None:
                return (time_ns - self._start_us * 1e3 - frame * NS_PER_FRAME) / 1e3
        return None

    def _place(self, reader: CaptureReader, record: Record, time_ns: float) -> int | None:
        expected = round((time_ns - self._start_us * 1e3) / NS_PER_FRAME)
        if not -BLOCK_FRAMES < expected < len(self._canonical):
            return None
        block = np.asarray(reader.pcm(record))
        guesses = [(0 if self._slip is None else self._slip, SPANS[0]), (0, SPANS[1])]
        for slip, span in guesses:
            frame = search(block, self._canonical, self._pick, expected + slip, span)
            if frame is not None:
                self._slip = frame - expected
                return frame
        return None
