"""The album's five songs: original music, written as what to play when.

Each song is a function from a sample rate to a finished stereo recording, the same each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import voices
from .encoding import FLAC_16, FLAC_24, MP3, OPUS, WAV_16, Encoding, Sound
from .mixing import Mix
from .voices import frequency

ALBUM = "Five Rooms"
ARTIST = "Phantom"


@dataclass(frozen=True)
class Song:
    """A song and the format that it is published in."""

    title: str
    extension: str
    rate: int
    encoding: Encoding
    perform: Callable[[int], Sound]

    def file_name(self, number: int) -> str:
        """As a tidy person would name it: "01 Porch Light.flac"."""
        return f"{number:02} {self.title}.{self.extension}"


def porch_light(rate: int) -> Sound:
    """Two fingerpicked guitars in D, one at each side, a bass between them."""
    random = np.random.default_rng(101)
    beat_s = 60 / 104
    mix = Mix(rate, 6 * 4 * beat_s + 2.2)
    chords = (
        ("D3 A3 D4 F#4 A4", "D2"),
        ("C#3 A3 C#4 E4 A4", "A1"),
        ("B2 F#3 B3 D4 F#4", "B1"),
        ("G2 G3 B3 D4 G4", "G1"),
        ("A2 E3 A3 C#4 E4", "A1"),
        ("D3 A3 D4 F#4 D5", "D2"),
    )
    picking = (0, 2, 3, 1, 4, 2, 3, 1)
    for bar, (strings, root) in enumerate(chords):
        notes = strings.split()
        for eighth, string in enumerate(picking):
            at_s = (bar * 4 + eighth / 2) * beat_s
            hz = frequency(notes[string])
            level = 0.9 if eighth == 0 else random.uniform(0.55, 0.7)
            mix.add(voices.guitar(rate, hz, 1.8, random), at_s, level, -0.55)
            if eighth % 2 and bar > 0:
                answer = voices.guitar(rate, 2 * hz, 1.2, random)
                mix.add(answer, at_s + beat_s / 4, 0.75, 0.65, room=0.35)
        for half in range(2):
            low = voices.bass(rate, frequency(root), 2 * beat_s)
            mix.add(low, (bar * 4 + half * 2) * beat_s, 0.38, 0.05, room=0.05)
    for string, note in enumerate(("D3", "A3", "D4", "F#4", "A4", "D5")):
        strum = voices.guitar(rate, frequency(note), 2.2, random)
        mix.add(strum, 24 * beat_s + 0.03 * string, 0.6, string / 4 - 0.6)
    return mix.master(1.1, random)


def night_tram(rate: int) -> Sound:
    """Electric piano, a walking bass and brushed drums in A minor."""
    random = np.random.default_rng(202)
    beat_s = 60 / 108
    mix = Mix(rate, 6 * 4 * beat_s + 1.6)
    bars = (
        ("G3 B3 C4 E4", "A1 C2 E2 G2"),
        ("F3 A3 C4 E4", "D2 F2 A2 G#2"),
        ("F3 A3 B3 E4", "G1 B1 D2 F2"),
        ("E3 G3 B3 D4", "C2 E2 G2 B2"),
        ("F3 A3 C4 E4", "F2 A2 C3 A2"),
        ("G#3 B3 D4 F4", "E2 D2 B1 G#1"),
    )
    for bar, (chord, walk) in enumerate(bars):
        start_s = bar * 4 * beat_s
        for hit, length in ((0.0, 1.4), (1.66, 0.8), (2.66, 1.2)):
            for index, note in enumerate(chord.split()):
                key = voices.electric_piano(rate, frequency(note), length * beat_s + 0.3)
                mix.add(key, start_s + hit * beat_s, 0.4, 0.6 * (index - 1.5) / 1.5)
        for beat, note in enumerate(walk.split()):
            at_s = start_s + beat * beat_s
            low = voices.bass(rate, frequency(note), 0.95 * beat_s)
            mix.add(low, at_s, 0.5, -0.1, 0.05)
            drum = voices.snare(rate, random) if beat % 2 else voices.kick(rate)
            mix.add(drum, at_s, 0.45 if beat % 2 else 0.6, 0.0, 0.1)
            for swung, level in ((0.0, 0.36), (0.66, 0.2)):
                tick = voices.hat(rate, random)
                mix.add(tick, at_s + swung * beat_s, level, 0.5)
    for index, note in enumerate(("G3", "B3", "C4", "E4", "A4")):
        key = voices.electric_piano(rate, frequency(note), 1.6)
        mix.add(key, 24 * beat_s, 0.4, 0.6 * (index - 2) / 2)
    mix.add(voices.bass(rate, frequency("A1"), 1.5), 24 * beat_s, 0.5, -0.1, 0.05)
    return mix.master(0.8, random)


def paper_kites(rate: int) -> Sound:
    """Two marimbas that interlock across the room, in 6/8."""
    random = np.random.default_rng(303)
    eighth_s = 60 / 76 / 3
    mix = Mix(rate, 8 * 6 * eighth_s + 1.4)
    bars = (
        ("F4 A4 C5", "F2"),
        ("G4 B4 D5", "F2"),
        ("E4 A4 C5", "A1"),
        ("D4 G4 B4", "G1"),
        ("F4 A4 D5", "D2"),
        ("G4 C5 E5", "C2"),
        ("F4 B4 D5", "G1"),
        ("F4 A4 C5", "F1"),
    )
    up, down = (0, 1, 2, 1, 2, 0), (2, 0, 1, 2, 0, 1)
    for bar, (chord, root) in enumerate(bars):
        notes = [frequency(note) for note in chord.split()]
        for step in range(6):
            at_s = (bar * 6 + step) * eighth_s
            accent = 0.8 if step % 3 == 0 else 0.5
            left = voices.marimba(rate, notes[up[step]], 0.7, random)
            mix.add(left, at_s, accent, -0.75)
            right = voices.marimba(rate, notes[down[step]] * 2, 0.5, random)
            mix.add(right, at_s + eighth_s / 2, 0.6, 0.75)
            shake = voices.hat(rate, random, 35)
            mix.add(shake, at_s, 0.2 if step % 3 else 0.35, 0.2)
        low = voices.bass(rate, frequency(root), 5 * eighth_s)
        mix.add(low, bar * 6 * eighth_s, 0.6, 0.0, 0.05)
        mix.add(voices.kick(rate), bar * 6 * eighth_s, 0.5, 0.0, 0.05)
    for index, note in enumerate(("F3", "C4", "F4", "A4")):
        tone = voices.marimba(rate, frequency(note), 1.2, random)
        mix.add(tone, 48 * eighth_s, 0.6, (index - 1.5) / 2)
    return mix.master(0.9, random)


def glass_harbour(rate: int) -> Sound:
    """Slow strings, and bells whose echoes cross the water."""
    random = np.random.default_rng(404)
    bar_s = 3.2
    mix = Mix(rate, 4 * bar_s + 3.0)
    melody = (
        (0.0, "B4"), (0.5, "E5"), (0.75, "G5"), (1.0, "F#5"), (1.5, "E5"), (1.75, "B4"),
        (2.0, "D5"), (2.5, "G5"), (2.75, "A5"), (3.0, "F#5"), (3.5, "D5"), (4.0, "E5"),
    )  # fmt: skip
    for position, note in melody:
        mix.add(voices.bell(rate, frequency(note), 2.4), position * bar_s, 0.5, 0.35, 0.5)
    mix.echo(bar_s / 8 * 1.5, 0.45)
    chords = ("E3 G3 B3 F#4", "C3 G3 B3 E4", "G2 D3 B3 D4", "D3 A3 D4 G4")
    for bar, chord in enumerate(chords):
        for index, note in enumerate(chord.split()):
            swell = voices.pad(rate, frequency(note), bar_s * 1.35, random)
            mix.add(swell, bar * bar_s, 0.32, 0.6 * (index - 1.5), 0.4)
        root = frequency(chord.split()[0]) / 2
        mix.add(voices.bass(rate, root, bar_s * 0.9), bar * bar_s, 0.7, 0.0, 0.05)
        for heartbeat in (0.0, 0.09):
            mix.add(voices.kick(rate), (bar + heartbeat) * bar_s, 0.4, 0.0, 0.1)
    return mix.master(2.4, random)


def four_doors(rate: int) -> Sound:
    """Four on the floor: a bright riff that knocks left, right and in between."""
    random = np.random.default_rng(505)
    beat_s = 60 / 122
    mix = Mix(rate, 7 * 4 * beat_s + 1.2)
    bars = ("F3 A3 C4", "G3 B3 D4", "A3 C4 E4", "G3 C4 E4", "F3 A3 C4", "G3 B3 D4", "C4 E4 G4")
    riff = ((0, 0), (0.75, 2), (1.5, 1), (2, 2), (2.75, 0), (3.25, 1), (3.5, 2))
    for bar, chord in enumerate(bars):
        start_s = bar * 4 * beat_s
        notes = [frequency(note) for note in chord.split()]
        for knock, (at, voice) in enumerate(riff):
            pluck = voices.synth(rate, notes[voice] * 2, 0.5)
            mix.add(pluck, start_s + at * beat_s, 0.42, (-0.8, 0.8, -0.3, 0.3)[knock % 4], 0.3)
        for beat in range(4):
            at_s = start_s + beat * beat_s
            mix.add(voices.kick(rate), at_s, 0.62, 0.0, 0.03)
            if beat % 2:
                mix.add(voices.clap(rate, random), at_s, 0.5, -0.15, 0.3)
            mix.add(voices.hat(rate, random), at_s + beat_s / 2, 0.5, 0.35, 0.1)
            for half, octave in ((0.0, 4), (0.5, 2)):
                low = voices.bass(rate, notes[0] / octave, beat_s * 0.45)
                mix.add(low, at_s + half * beat_s, 0.4, 0.0, 0.03)
    for voice, note in enumerate(("C3", "G3", "C4", "E4", "G4", "C5")):
        mix.add(voices.synth(rate, frequency(note), 1.2), 28 * beat_s, 0.4, voice / 3 - 0.8, 0.4)
    mix.add(voices.kick(rate), 28 * beat_s, 0.6)
    return mix.master(0.7, random)


SONGS = (
    Song("Porch Light", "flac", 96000, FLAC_24, porch_light),
    Song("Night Tram", "flac", 44100, FLAC_16, night_tram),
    Song("Paper Kites", "mp3", 44100, MP3, paper_kites),
    Song("Glass Harbour", "opus", 48000, OPUS, glass_harbour),
    Song("Four Doors", "wav", 48000, WAV_16, four_doors),
)
