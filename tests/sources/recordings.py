"""What the tests of sources play, and how they listen to it."""

from pathlib import Path

import numpy as np

from storagebox.sources.events import Event
from storagebox.sources.library import LibrarySource


def recording(rate: int, frames: int, channels: int = 2, seed: int = 0) -> np.ndarray:
    """Something like music: chords that come and go, different in each channel, full scale ±1."""
    random = np.random.default_rng(seed)
    t = np.arange(frames) / rate
    sound = np.zeros((frames, channels))
    for channel in range(channels):
        for hz in random.uniform(60, 6000, 12):
            swell = 0.5 + 0.5 * np.sin(
                2 * np.pi * random.uniform(0.5, 4) * t + random.uniform(0, 6)
            )
            sound[:, channel] += swell * np.sin(2 * np.pi * hz * t + random.uniform(0, 6))
    return sound / 20


def listen(*paths: Path | str) -> tuple[np.ndarray, list[tuple[int, Event]]]:
    """The canonical PCM of what the library source plays, and (frame, event) of what it says."""
    source = LibrarySource()
    blocks, events, frame = [np.empty((0, 2), np.int16)], [], 0
    for rendered in source.render(source.expand([str(path) for path in paths])):
        if isinstance(rendered, np.ndarray):
            assert rendered.dtype == np.int16
            blocks.append(rendered)
            frame += len(rendered)
        else:
            events.append((frame, rendered))
    return np.concatenate(blocks), events


def noise_db(got: np.ndarray, want: np.ndarray) -> float:
    """How far below `want` lies what `got` differs by, in dB, leaving out the edges."""
    assert got.shape == want.shape
    inner = slice(1000, -1000)
    difference = got[inner].astype(np.float64) - want[inner]
    return 10 * np.log10(np.mean(want[inner].astype(np.float64) ** 2) / np.mean(difference**2))
