"""The judge of the failure matrix knows a fade between a side and the mono mix for what it is."""

from pathlib import Path

import numpy as np

from phantom.wire import CHUNK_FRAMES
from phantom.wire.audio import BOTH
from tests.house.truth import Song, Truth
from tools.bench import music
from tools.measure.canonical import Canonical


def _noise(seed: int) -> np.ndarray:
    return music.noise(48000, seed)


def test_any_mix_of_both_channels_is_sound_where_it_is_due_and_nowhere_else():
    canonical = Canonical(_noise(1))
    truth = Truth(Song(Path("song.wav"), canonical), 0)
    due = 20_000
    song = canonical.picked(due, due + CHUNK_FRAMES, BOTH).astype(np.float64)
    ramp = np.linspace(0.4, 0.5, CHUNK_FRAMES)
    for left in (0.0, 0.1, 0.5, ramp):
        faded = (song[:, 0] * left + song[:, 1] * (1.0 - left)).astype(np.int16)
        block = np.stack((faded, faded), axis=1)
        assert truth._holds(block, due)
        assert truth._holds(block, due + 2), "two trims"
        assert not truth._holds(block, due + 48), "a millisecond late"
    assert not truth._holds(_noise(2)[:CHUNK_FRAMES], due)
    assert not truth._holds(np.zeros((CHUNK_FRAMES, 2), np.int16), due)
