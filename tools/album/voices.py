"""The album's instruments: each a function from a note to a mono sound.

Frequencies in Hz, durations in seconds, sounds as float64 arrays of shape (frames,) that start
with the onset and fade to nothing. Loudness is relative: the mix sets levels.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

Mono = NDArray[np.float64]

_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ATTACK_S = 0.002  # short enough to be heard as a hit, long enough not to click
_RELEASE_S = 0.04


def frequency(note: str) -> float:
    """Equal temperament, A4 = 440 Hz: "A4", "F#3", "Bb2"."""
    name, sign, octave = re.fullmatch(r"([A-G])([#b]?)(-?\d)", note).groups()  # type: ignore[union-attr]
    semitone = _SEMITONES[name] + {"": 0, "#": 1, "b": -1}[sign]
    return 440.0 * 2.0 ** ((semitone - 9) / 12 + int(octave) - 4)


def _times(rate: int, seconds: float) -> Mono:
    return np.arange(round(seconds * rate)) / rate


def _edges(sound: Mono, rate: int, attack_s: float = _ATTACK_S) -> Mono:
    """Rounds off the beginning and the end."""
    attack = min(round(attack_s * rate), len(sound))
    release = min(round(_RELEASE_S * rate), len(sound))
    sound[:attack] *= 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, attack, endpoint=False))
    sound[len(sound) - release :] *= np.linspace(1, 0, release) ** 2
    return sound


def guitar(rate: int, hz: float, seconds: float, random: np.random.Generator) -> Mono:
    """A plucked string (Karplus and Strong, 1983), plucked near its end, tuned to the fraction."""
    period = int(rate / hz)
    string = random.uniform(-1, 1, period)
    soft = max(round(rate / 9000), 1)  # a finger, not a plectrum, whatever the rate
    string = np.convolve(np.tile(string, 3), np.ones(soft) / soft, "same")[period : 2 * period]
    string -= np.roll(string, period // 5)
    # The averaging filter's own half frame of delay is part of the period.
    turns = int(seconds * rate / period) + 2
    damping = 0.5 ** (period / rate / (110 / hz + 0.35))
    turned = np.empty((turns, period))
    blur = min(0.5, 0.5 * rate / 96000 + 0.25)
    for turn in range(turns):
        turned[turn] = string
        string = damping * ((1 - blur) * string + blur * np.roll(string, 1))
    played = turned.ravel()
    sounding_hz = rate / (period + blur)
    at = np.arange(round(seconds * rate)) * (hz / sounding_hz)
    return _edges(np.interp(at, np.arange(len(played)), played), rate) * 0.9


def electric_piano(rate: int, hz: float, seconds: float) -> Mono:
    """Two FM pairs (Chowning, 1973): a mellow body, and a tine that dies at once."""
    t = _times(rate, seconds)
    body = np.sin(2 * np.pi * hz * t + 2.0 * np.exp(-2.5 * t) * np.sin(2 * np.pi * hz * t))
    tine = np.sin(2 * np.pi * hz * t + 0.9 * np.exp(-9 * t) * np.sin(2 * np.pi * 14 * hz * t))
    sound = 0.75 * body * np.exp(-1.6 * t) + 0.25 * tine * np.exp(-4 * t)
    return _edges(sound * (1 - 0.12 * np.sin(2 * np.pi * 5.2 * t)), rate)


def bell(rate: int, hz: float, seconds: float) -> Mono:
    """FM with an inharmonic ratio: glass rather than bronze."""
    t = _times(rate, seconds)
    strike = np.exp(-3.2 * t) * 1.7 * np.sin(2 * np.pi * hz * 3.5 * t)
    return _edges(np.exp(-1.9 * t) * np.sin(2 * np.pi * hz * t + strike), rate)


def marimba(rate: int, hz: float, seconds: float, random: np.random.Generator) -> Mono:
    """A bar's first three modes (1 : 3.93 : 9.24) and the mallet's knock."""
    t = _times(rate, seconds)
    sound = np.zeros(len(t))
    for ratio, level, decay in ((1.0, 1.0, 5.0), (3.93, 0.35, 14.0), (9.24, 0.12, 40.0)):
        sound += level * np.exp(-decay * t) * np.sin(2 * np.pi * hz * ratio * t)
    knock = random.uniform(-1, 1, len(t)) * np.exp(-180 * t)
    return _edges(sound + 0.15 * knock, rate, 0.001)


def pad(rate: int, hz: float, seconds: float, random: np.random.Generator) -> Mono:
    """Three detuned string-like voices that swell and fade."""
    t = _times(rate, seconds)
    turn = np.linspace(0, 1, 2049)
    period = np.zeros(len(turn))
    for partial in range(1, min(9, int(5000 / hz) + 1)):
        period += np.sin(2 * np.pi * partial * turn + partial) / partial**1.6
    sound = np.zeros(len(t))
    for cents in (-7, 0, 8):
        phase = hz * 2 ** (cents / 1200) * t + random.uniform()
        sound += np.interp(phase % 1, turn, period)
    return sound * np.sin(np.pi * np.linspace(0, 1, len(t))) ** 0.8 / 3


def bass(rate: int, hz: float, seconds: float) -> Mono:
    """A round electric bass."""
    t = _times(rate, seconds)
    sound = np.zeros(len(t))
    for partial, level in enumerate((1.0, 0.55, 0.28, 0.14, 0.07), 1):
        sound += level * np.exp(-(1.2 + 1.5 * partial) * t) * np.sin(2 * np.pi * hz * partial * t)
    return _edges(sound, rate, 0.004)


def synth(rate: int, hz: float, seconds: float) -> Mono:
    """A bright pluck: a band-limited sawtooth whose upper partials die first."""
    t = _times(rate, seconds)
    sound = np.zeros(len(t))
    for partial in range(1, min(16, int(9000 / hz) + 1)):
        decay = np.exp(-(3 + 1.1 * partial) * t)
        sound += decay / partial * np.sin(2 * np.pi * hz * partial * t)
    return _edges(sound, rate)


def kick(rate: int) -> Mono:
    """A bass drum: a sine that falls from 150 to 48 Hz."""
    t = _times(rate, 0.4)
    phase = 2 * np.pi * (48 * t + (150 - 48) / 28 * (1 - np.exp(-28 * t)))
    return _edges(np.sin(phase) * np.exp(-8 * t), rate)


def snare(rate: int, random: np.random.Generator) -> Mono:
    """Noise of the snares over the skin's tone."""
    t = _times(rate, 0.3)
    rattle = _above(random.uniform(-1, 1, len(t)), rate, 1500)
    skin = np.sin(2 * np.pi * 190 * t) * np.exp(-22 * t)
    return _edges(0.7 * rattle * np.exp(-16 * t) + 0.6 * skin, rate, 0.001)


def hat(rate: int, random: np.random.Generator, decay: float = 60.0) -> Mono:
    """A hi-hat; less `decay` opens it or makes a shaker of it."""
    t = _times(rate, min(0.35, 6 / decay))
    return _edges(_above(random.uniform(-1, 1, len(t)), rate, 7000) * np.exp(-decay * t), rate)


def clap(rate: int, random: np.random.Generator) -> Mono:
    """Several hands, not quite together."""
    t = _times(rate, 0.25)
    hands = np.zeros(len(t))
    for late_s, decay in ((0.0, 200.0), (0.011, 200.0), (0.021, 200.0), (0.03, 22.0)):
        since = t - late_s
        hands += np.where(since >= 0, np.exp(-decay * np.maximum(since, 0)), 0)
    return _edges(_above(random.uniform(-1, 1, len(t)), rate, 900) * hands, rate, 0.001)


def _above(noise: Mono, rate: int, hz: float) -> Mono:
    """Noise without what lies below `hz` or beyond hearing, rolled off gently."""
    spectrum = np.fft.rfft(noise)
    frequencies = np.fft.rfftfreq(len(noise), 1 / rate)
    rise = 1 / (1 + (hz / np.maximum(frequencies, 1.0)) ** 4)
    fall = 1 / (1 + (frequencies / 16000) ** 8)
    # As loud at every rate: white noise spreads its power up to half the rate.
    return np.fft.irfft(spectrum * rise * fall, len(noise)) * (rate / 44100) ** 0.5
