"""What a room heard, as a WAV file: captures on house time, so all rooms' files are in time.

Frame n of every file is the instant `start_us + n / 48000 s`; each holds the frame that was
leaving the DAC then (the nearest; a crystal 40 ppm off repeats or skips one in 25000). Open two
rooms in an editor, and what you see between them is what there was between the loudspeakers.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from boards.emulated import capture
from boards.emulated.capture import BLOCK_FRAMES, SegmentCapture
from phantom.wire.audio import LEFT, RIGHT
from tools.measure.align import NS_PER_FRAME
from tools.measure.canonical import RATE

_CHUNK_FRAMES = RATE

Frames = npt.NDArray[np.int16]


def on_house_time(
    segments: Sequence[SegmentCapture], start_us: int, first: int, stop: int
) -> Frames:
    """Frames `first` to `stop` of the house's 48 kHz grid as a board played them, (n, 2)."""
    out = np.zeros((stop - first, 2), np.int16)
    when_ns = start_us * 1e3 + np.arange(first, stop) * NS_PER_FRAME
    for recorded in segments:
        if len(recorded.sound) == 0:
            continue
        segment = recorded.segment
        dac = np.rint((when_ns - segment.t0_ns) * (segment.rate_actual / 1e9)).astype(np.int64)
        descriptor, within = dac // BLOCK_FRAMES, dac % BLOCK_FRAMES
        at = np.searchsorted(recorded.sound, descriptor).clip(max=len(recorded.sound) - 1)
        heard = recorded.sound[at] == descriptor
        # every record is an even number of bytes, so a sample is never split by the 16-bit view
        samples = recorded.data[: len(recorded.data) & ~1].view("<i2")
        index = (recorded.offsets[at[heard]] >> 1) + within[heard] * 2
        out[heard, 0] = samples[index]
        out[heard, 1] = samples[index + 1]
    return out


def write_room(
    path: Path, boards: Sequence[tuple[str, Sequence[Path]]], start_us: int, seconds: float
) -> None:
    """Writes a room's WAV, 48 kHz s16 stereo.

    Args:
        boards: (pick, captures) of each board of the room. Of a stereo pair the left board makes
            the left channel and the right one the right; a solo board makes both.
        seconds: length from the stream's start.
    """
    loaded = [
        (pick, [segment for file in files for segment in capture.load(file)])
        for pick, files in boards
    ]
    frames = int(seconds * RATE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for first in range(0, frames, _CHUNK_FRAMES):
            stop = min(first + _CHUNK_FRAMES, frames)
            out = np.zeros((stop - first, 2), np.int16)
            for pick, segments in loaded:
                heard = on_house_time(segments, start_us, first, stop)
                for side in _sides(pick, len(loaded)):
                    out[:, side] = heard[:, side]
            file.writeframes(out.astype("<i2").tobytes())


def _sides(pick: str, boards: int) -> tuple[int, ...]:
    if boards > 1 and pick in (LEFT, RIGHT):
        return (0,) if pick == LEFT else (1,)
    return (0, 1)
