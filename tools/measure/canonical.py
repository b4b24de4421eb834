"""A session's canonical PCM as the measurement sees it: what every board was asked to play.

Frame 0 is stream frame 0; before it and after the end there is silence. The PCM may be a file that
the box is still writing (`pcm_dump`): look again with `refresh`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from phantom.wire.audio import BOTH, LEFT, MONO, PICKS, RIGHT

RATE = 48000
FRAME_BYTES = 4  # s16 stereo

Frames = npt.NDArray[np.int16]


class Canonical:
    """Stereo s16 PCM, frame by frame, from an array (n, 2) or a raw file of s16 stereo."""

    def __init__(self, source: Frames | str | Path) -> None:
        self._path: Path | None = None
        if isinstance(source, np.ndarray):
            if source.ndim != 2 or source.shape[1] != 2:
                raise ValueError(f"canonical PCM has shape {source.shape}, not (frames, 2)")
            self._pcm = source
        else:
            self._path = Path(source)
            self._pcm = np.zeros((0, 2), np.int16)
            self.refresh()

    def __len__(self) -> int:
        return len(self._pcm)

    def refresh(self) -> None:
        """Sees what a growing file has gained; an absent file counts as empty."""
        if self._path is None or not self._path.exists():
            return
        frames = self._path.stat().st_size // FRAME_BYTES
        if frames > len(self._pcm):
            self._pcm = np.memmap(self._path, "<i2", "r", shape=(frames, 2))

    def stereo(self, first: int, stop: int) -> Frames:
        """Frames `first` to `stop`, (stop - first, 2) int16, silence outside the stream."""
        out = np.zeros((stop - first, 2), np.int16)
        low, high = max(first, 0), min(stop, len(self._pcm))
        if low < high:
            out[low - first : high - first] = self._pcm[low:high]
        return out

    def picked(self, first: int, stop: int, pick: str) -> Frames:
        """What a board with this pick plays on its two outputs, (stop - first, 2) int16."""
        return pick_channels(self.stereo(first, stop), pick)


def pick_channels(stereo: Frames, pick: str) -> Frames:
    """A channel pick of stereo frames (..., 2), duplicated on both outputs when it is one channel.

    MONO is (left + right) >> 1 in 32-bit arithmetic, as the box computes it.
    """
    if pick == BOTH:
        return stereo
    if pick == LEFT:
        return stereo[..., [0, 0]]
    if pick == RIGHT:
        return stereo[..., [1, 1]]
    if pick == MONO:
        wide = stereo.astype(np.int32)
        mono = ((wide[..., 0] + wide[..., 1]) >> 1).astype(np.int16)
        return np.stack((mono, mono), axis=-1)
    raise ValueError(f"no pick {pick!r}: it is one of {', '.join(PICKS)}")
