"""Writes audio files of many kinds, with PyAV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from numpy.typing import NDArray

Sound = NDArray[np.float64]
"""Shape (frames, channels), full scale ±1."""


@dataclass(frozen=True)
class Encoding:
    """How a file is written.

    `bits` is what samples are rounded to: 8, 16 or 24, or 0 for codecs that take floats.
    """

    codec: str
    sample_format: str
    bits: int = 0
    bit_rate: int | None = None
    layout: str = "stereo"


WAV_8 = Encoding("pcm_u8", "u8", 8)
WAV_16 = Encoding("pcm_s16le", "s16", 16)
WAV_24 = Encoding("pcm_s24le", "s32", 24)
WAV_FLOAT = Encoding("pcm_f32le", "flt")
FLAC_16 = Encoding("flac", "s16", 16)
FLAC_24 = Encoding("flac", "s32", 24)
MP3 = Encoding("libmp3lame", "fltp", bit_rate=256_000)
# PyAV's builds have no libvorbis, and FFmpeg's own Vorbis encoder is too coarse for music.
OPUS = Encoding("libopus", "flt", bit_rate=192_000)

_BLOCK_FRAMES = 4096


def encode(
    path: Path,
    sound: Sound,
    rate: int,
    encoding: Encoding,
    progress: Callable[[float], object] = lambda _: None,
) -> None:
    """Writes `sound` to `path`, whose extension names the container.

    `progress` hears the share done, 0 to 1. Raises av.error.FFmpegError where this build of FFmpeg
    lacks the codec.
    """
    samples = quantise(sound, encoding)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(encoding.codec, rate=rate)
        assert isinstance(stream, AudioStream)
        context = stream.codec_context
        context.format = encoding.sample_format
        context.layout = encoding.layout
        if encoding.bit_rate:
            context.bit_rate = encoding.bit_rate
        context.open()
        block_frames = context.frame_size or _BLOCK_FRAMES
        for start in range(0, len(samples), block_frames):
            frame = _frame(samples[start : start + block_frames], encoding)
            frame.sample_rate = rate
            frame.pts = start
            container.mux(stream.encode(frame))
            progress(start / len(samples))
        container.mux(stream.encode(None))
    progress(1.0)


def quantise(sound: Sound, encoding: Encoding) -> NDArray[Any]:
    """The samples as the encoder takes them: what a lossless file holds exactly."""
    if encoding.bits == 0:
        return sound.astype(np.float32)
    full_scale = 2.0 ** (encoding.bits - 1)
    steps = np.clip(np.rint(sound * full_scale), -full_scale, full_scale - 1)
    if encoding.bits == 8:
        return (steps + 128).astype(np.uint8)
    if encoding.bits == 24:
        return steps.astype(np.int32) << 8
    return steps.astype(np.int16)


def _frame(samples: NDArray[Any], encoding: Encoding) -> AudioFrame:
    planar = encoding.sample_format.endswith("p")
    planes = samples.T if planar else samples.reshape(1, -1)
    return AudioFrame.from_ndarray(
        np.ascontiguousarray(planes), format=encoding.sample_format, layout=encoding.layout
    )
