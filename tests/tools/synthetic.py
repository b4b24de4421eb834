"""Captures made to order: a board whose every fault is known, to check the measurement against."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from boards.emulated.capture import (
    BLOCK_FRAMES,
    EMPTY,
    Segment,
    pack_block,
    pack_run,
    pack_segment,
)
from tools.measure.canonical import Canonical

RATE = 48000
START_US = 5_000_000_000


@dataclass
class SyntheticBoard:
    """Plays a canonical stream into a capture file, trimming as the firmware does."""

    ppm: float = 0.0
    t0_us: float = START_US - 100_000.0  # DAC frame 0; the stream starts about 19 blocks later
    offset_us: float = 0.0  # a constant error to be found
    pick: str = "both"
    trim: bool = True
    gain: float = 1.0
    noise: float = 0.0  # rms of added noise, as a lossy codec's, in LSB
    empty: list[tuple[int, int]] = field(default_factory=list)  # (first descriptor, count)
    bursts: dict[int, int] = field(default_factory=dict)  # descriptor -> trims in a row from there
    jumps: dict[int, int] = field(default_factory=dict)  # descriptor -> stream frames skipped
    trims: int = field(default=0, init=False)
    positions: list[tuple[int, int]] = field(default_factory=list, init=False)

    def segment(self) -> Segment:
        return Segment(RATE, BLOCK_FRAMES, int(self.t0_us * 1000), RATE * (1 + self.ppm * 1e-6), 0)

    def play(self, path: Path, canonical: Canonical, seconds: float) -> Path:
        """Writes `seconds` of stream; `positions` then holds the truth, (descriptor, frame)."""
        segment = self.segment()
        random = np.random.default_rng(1)
        begin_ns = (START_US + self.offset_us) * 1e3
        start = round((begin_ns - segment.t0_ns) * segment.rate_actual / 1e9)
        position = -(start % BLOCK_FRAMES)
        with path.open("wb") as file:
            file.write(pack_segment(segment))
            file.write(pack_run(0, start // BLOCK_FRAMES, EMPTY))
            for descriptor in range(start // BLOCK_FRAMES, int((start + seconds * RATE) // 256)):
                position += self.jumps.get(descriptor, 0)
                self.positions.append((descriptor, position))
                step = self._step(segment, descriptor, position, begin_ns)
                if any(first <= descriptor < first + count for first, count in self.empty):
                    file.write(pack_run(descriptor, 1, EMPTY))
                else:
                    block = _resampled(canonical.picked(position, position + step + 1, self.pick))
                    file.write(pack_block(descriptor, self._coloured(block, random)))
                position += step
        return path

    def _step(self, segment: Segment, descriptor: int, position: int, begin_ns: float) -> int:
        for first, count in self.bursts.items():
            if 0 <= descriptor - first < abs(count):
                self.trims += 1
                return BLOCK_FRAMES + (1 if count > 0 else -1)
        if not self.trim or position < 0:
            return BLOCK_FRAMES
        late_ns = segment.time_ns(descriptor * BLOCK_FRAMES) - begin_ns - position * 1e9 / RATE
        if abs(late_ns) < 11_000:
            return BLOCK_FRAMES
        self.trims += 1
        return BLOCK_FRAMES + (1 if late_ns > 0 else -1)

    def _coloured(
        self, block: npt.NDArray[np.int16], random: np.random.Generator
    ) -> npt.NDArray[np.int16]:
        if self.gain == 1.0 and not self.noise:
            return block
        wide = block * self.gain + random.normal(0.0, self.noise, block.shape) * (block != 0)
        return np.clip(np.round(wide), -32768, 32767).astype(np.int16)


def _resampled(frames: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """n + 1 frames (the last only to interpolate towards) as one block of 256."""
    step = len(frames) - 1
    if step == BLOCK_FRAMES:
        return frames[:-1]
    at = np.arange(BLOCK_FRAMES) * step
    whole, part = at // BLOCK_FRAMES, (at % BLOCK_FRAMES)[:, None]
    near, far = frames[whole].astype(np.int64), frames[whole + 1].astype(np.int64)
    return (near + ((far - near) * part >> 8)).astype(np.int16)


def music(seconds: float, seed: int = 7, channels: int = 2) -> npt.NDArray[np.int16]:
    """Band-limited noise over a few tones, loud and soft passages: (frames, 2)."""
    random = np.random.default_rng(seed)
    frames = int(seconds * RATE)
    spectrum = np.fft.rfft(random.normal(size=(frames, channels)), axis=0)
    hertz = np.fft.rfftfreq(frames, 1 / RATE)[:, None]
    spectrum *= (hertz > 60) & (hertz < 5000)
    sound = np.fft.irfft(spectrum, frames, axis=0)
    times = np.arange(frames)[:, None] / RATE
    sound = sound / sound.std() + np.sin(2 * np.pi * 440 * times) + np.sin(2 * np.pi * 93 * times)
    loudness = 1500 * (1.2 + np.sin(2 * np.pi * times / 3))
    return np.clip(sound * loudness, -32768, 32767).astype(np.int16)
