"""The music of the benches, as WAV files that a box decodes like any other.

48 kHz, 16 bit, stereo: what the box makes of them is bit for bit what is in them. PCM16 gets the
frame counter; lossy codecs get noise, in which every few milliseconds are unlike all others
nearby.
"""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tools.demo.terms import PCM16
from tools.measure.counter import counter

RATE = 48000
_CHUNK_FRAMES = RATE
# The noise comes round after this long, far beyond how far the measurement ever looks.
_LOOP_SECONDS = 20
# Where music has its energy, and well within what 4-bit ADPCM follows.
_NOISE_HERTZ = (100.0, 6000.0)
_NOISE_RMS = 6000.0  # of 32768: -15 dBFS, peaks unclipped

Frames = npt.NDArray[np.int16]


def write_for(codec: str, path: Path, seconds: float, seed: int) -> bool:
    """What can be recognised after `codec`, as a WAV file; whether that is the counter."""
    if codec == PCM16:
        write_counter(path, seconds)
        return True
    write_noise(path, seconds, seed)
    return False


def write_counter(path: Path, seconds: float) -> None:
    """The frame counter of `tools.measure.counter`, as a WAV file."""
    _write(path, int(seconds * RATE), counter)


def write_noise(path: Path, seconds: float, seed: int) -> None:
    """Band-limited noise, left and right independent, as a WAV file."""
    loop = noise(_LOOP_SECONDS * RATE, seed)
    _write(path, int(seconds * RATE), lambda first, frames: _looped(loop, first, frames))


def noise(frames: int, seed: int) -> Frames:
    """`frames` of band-limited stereo noise that joins its own beginning, (frames, 2) int16."""
    random = np.random.default_rng(seed)
    hertz = np.fft.rfftfreq(frames, 1 / RATE)[:, None]
    low, high = _NOISE_HERTZ
    spectrum = random.normal(size=(len(hertz), 2)) + 1j * random.normal(size=(len(hertz), 2))
    sound = np.fft.irfft(spectrum * ((hertz > low) & (hertz < high)), frames, axis=0)
    scaled = sound * (_NOISE_RMS / sound.std())
    return np.clip(np.round(scaled), -32768, 32767).astype(np.int16)


def _looped(loop: Frames, first: int, frames: int) -> Frames:
    return loop[np.arange(first, first + frames) % len(loop)]


def _write(path: Path, frames: int, make: Callable[[int, int], Frames]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for first in range(0, frames, _CHUNK_FRAMES):
            block = make(first, min(_CHUNK_FRAMES, frames - first))
            file.writeframes(block.astype("<i2").tobytes())
