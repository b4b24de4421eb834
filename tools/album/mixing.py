"""A mixing desk: voices placed in time and between two loudspeakers, a room, a level."""

from __future__ import annotations

import numpy as np

from .encoding import Sound
from .voices import Mono

RMS_DBFS = -18.0
"""How loud every track is, over its whole length."""

PEAK_DBFS = -1.0
"""What no sample exceeds."""

_KNEE = 0.6  # where the limiter starts to bend


class Mix:
    """A stereo recording of a fixed length."""

    def __init__(self, rate: int, seconds: float) -> None:
        self.rate = rate
        self._dry = np.zeros((round(seconds * rate), 2))
        self._sent = np.zeros_like(self._dry)

    def add(
        self, sound: Mono, at_s: float, level: float, pan: float = 0.0, room: float = 0.2
    ) -> None:
        """Adds a sound at a time; `pan` −1 (left) to 1 (right), `room` is its share of echo."""
        start = round(at_s * self.rate)
        sound = sound[: max(len(self._dry) - start, 0)]
        angle = (pan + 1) * np.pi / 4  # equal power
        placed = np.outer(sound * level, (np.cos(angle), np.sin(angle)))
        self._dry[start : start + len(sound)] += placed
        self._sent[start : start + len(sound)] += room * placed

    def echo(self, delay_s: float, feedback: float, times: int = 4) -> None:
        """Repeats everything so far, each time softer and on the other side."""
        delay = round(delay_s * self.rate)
        repeated = self._dry.copy()
        for turn in range(1, times + 1):
            if delay * turn >= len(repeated):
                return
            flipped = repeated[:, ::-1] if turn % 2 else repeated
            tail = flipped[: len(repeated) - delay * turn] * feedback**turn
            self._dry[delay * turn :] += tail
            self._sent[delay * turn :] += 0.3 * tail

    def master(self, room_s: float, random: np.random.Generator) -> Sound:
        """The finished track: with its room, at its level, without a clipped sample."""
        sound = self._dry + self._reverberation(room_s, random)
        fade = min(round(0.4 * self.rate), len(sound))
        sound[-fade:] *= (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, fade)))[:, None]
        for _ in range(4):  # limiting takes some of the level away again
            sound *= 10 ** (RMS_DBFS / 20) / np.sqrt(np.mean(sound**2))
            sound = _limit(sound)
        return sound

    def _reverberation(self, room_s: float, random: np.random.Generator) -> Sound:
        """Convolves what was sent with noise that falls by 60 dB in `room_s`."""
        frames = round(room_s * self.rate)
        decay = 10 ** (-3 * np.arange(frames) / frames)
        size = 1 << (len(self._sent) + frames - 1).bit_length()
        wet = np.empty_like(self._sent)
        for side in range(2):
            room = random.standard_normal(frames) * decay
            room[: round(0.012 * self.rate)] = 0  # the walls are 2 m away
            # A room swallows treble; one pole at about 3 kHz.
            spectrum = np.fft.rfft(room / np.sqrt(np.sum(room**2)), size)
            spectrum /= 1 + 1j * np.fft.rfftfreq(size, 1 / self.rate) / 3000
            spectrum *= np.fft.rfft(self._sent[:, side], size)
            wet[:, side] = np.fft.irfft(spectrum, size)[: len(wet)]
        return wet


def _limit(sound: Sound) -> Sound:
    """Bends peaks softly so that they stay below PEAK_DBFS."""
    ceiling = 10 ** (PEAK_DBFS / 20)
    loud = np.abs(sound) > _KNEE
    over = np.abs(sound[loud]) - _KNEE
    bent = _KNEE + (ceiling - _KNEE) * np.tanh(over / (ceiling - _KNEE))
    sound[loud] = np.sign(sound[loud]) * bent
    return sound
