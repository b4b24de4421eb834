"""What the boards of a house truly played, asked while the music goes on.

The music is noise at the canonical format, which a box sends unchanged; so what should have been
heard is known from the file itself, whichever box sent it and however often it was restarted.
"""

from __future__ import annotations

import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from boards.emulated.board import EmulatedBoard
from phantom.wire import CHUNK_FRAMES, RATE
from phantom.wire.audio import BOTH, LEFT, MONO, RIGHT
from tools.bench import music
from tools.measure.accounting import account
from tools.measure.align import Played, Stretch, align
from tools.measure.canonical import Canonical
from tools.measure.matching import LIMIT

IN_TIME_US = 1000.0
_HOLD_NS = 0.5e9
# Blocks follow each other every 5.3 ms; this much without one is silence.
_SILENCE_NS = 50e6
_BLOCK_NS = CHUNK_FRAMES * 1e9 / RATE
# A wrong guess that a pair's other half is lost is taken back by then; see coordinator/halves.
_MIXED_NS = 2e9
# Frames that steering may leave out or repeat while one fades into the other.
_TRIMS = 2
# What has left the DAC is in the capture so much later.
_WRITTEN_US = 400_000
_POLL_S = 0.2


def now_us() -> int:
    """The machine's monotonic clock, in which captures are written."""
    return time.monotonic_ns() // 1000


@dataclass(frozen=True)
class Song:
    """Noise in a file that a box plays, and the same as canonical PCM."""

    path: Path
    canonical: Canonical


def song(folder: Path, seconds: float, seed: int = 1) -> Song:
    """Write a song of noise; different seeds are different songs."""
    path = folder / f"noise-{seed}.wav"
    music.write_noise(path, seconds, seed)
    with wave.open(str(path)) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return Song(path, Canonical(frames))


@dataclass(frozen=True)
class Truth:
    """A song as it is due from house time `start_us` on, and who played it.

    House time is the monotonic clock for a box that founded its timeline on this machine; a
    successor is off by what its estimate is off, which is part of the error measured here.
    """

    song: Song
    start_us: int

    def played(
        self,
        board: EmulatedBoard,
        pick: str,
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> Played:
        """What one board played of it between two instants, or until now."""
        written_us = (now_us() if until_us is None else until_us) + _WRITTEN_US
        time.sleep(max(0, written_us - now_us()) / 1e6)
        return align(
            board.name,
            board.captures,
            self.start_us,
            pick=pick,
            canonical=self.song.canonical,
            since_us=since_us,
            until_us=until_us,
        )

    def faults(self, board: EmulatedBoard, pick: str, since_us: int, until_us: int) -> list[str]:
        """What was wrong with a board's sound between two instants, in words; [] is perfect."""
        played = self.played(board, pick, since_us, until_us)
        if not len(played.time_ns):
            return [f"{board.name}: silent"]
        books = account(played, self.song.canonical)
        found = [f"{board.name}: {d.seconds * 1e3:.0f} ms of silence" for d in books.dropouts]
        found += [f"{board.name}: jumped {jump.frames} frames" for jump in books.jumps]
        times = played.time_ns
        if pick in (LEFT, RIGHT):
            # Half a second without a word from its other half, and it plays the mono mix a while.
            mix = self.played(board, MONO, since_us, until_us)
            between = self._between(played, mix) if len(mix.time_ns) else []
            times = np.sort(np.concatenate((times, mix.time_ns, between)))
            if (mixed_ns := len(mix.time_ns) * _BLOCK_NS) > _MIXED_NS:
                found.append(f"{board.name}: the mono mix for {mixed_ns / 1e6:.0f} ms")
        edges = np.concatenate(([since_us * 1e3], times, [until_us * 1e3]))
        widest = float(np.diff(edges).max())
        if widest > _SILENCE_NS:
            found.append(f"{board.name}: nothing for {widest / 1e6:.0f} ms")
        return found + _out_of_time(played, since_us)

    def _between(self, side: Played, mix: Played) -> list[float]:
        """When blocks left the DAC that fade from a side into the mono mix, or back.

        Neither finds them, but they go on from the block before, and hold both channels only.
        """
        found: list[float] = []
        for one in side.stretches:
            for other in mix.stretches:
                if other.capture.segment == one.capture.segment:
                    found += self._faded(one, other)
        return found

    def _faded(self, side: Stretch, mix: Stretch) -> list[float]:
        recorded = side.capture
        descriptor = np.concatenate((side.descriptor, mix.descriptor))
        frame = np.concatenate((side.frame - side.offset, mix.frame - mix.offset))
        order = np.argsort(descriptor)
        descriptor, frame = descriptor[order], frame[order]
        within = (recorded.sound > descriptor[0]) & (recorded.sound < descriptor[-1])
        found: list[float] = []
        for at in np.flatnonzero(within & ~np.isin(recorded.sound, descriptor)):
            number = int(recorded.sound[at])
            before = int(np.searchsorted(descriptor, number)) - 1
            due = int(frame[before]) + (number - int(descriptor[before])) * CHUNK_FRAMES
            if self._holds(recorded.pcm(at, at + 1)[0], due):
                found.append(float(recorded.segment.time_ns(number * CHUNK_FRAMES)))
        return found

    def _holds(self, block: npt.NDArray[np.int16], due: int) -> bool:
        """Whether a block is any mix of the song's channels as they are due, within trims."""
        sound = block[:, 0].astype(np.float64)
        power = float(sound @ sound)
        if power == 0.0:
            return False
        for frame in range(due - _TRIMS, due + _TRIMS + 1):
            channels = self.song.canonical.picked(frame, frame + CHUNK_FRAMES, BOTH)
            both = channels.astype(np.float64)
            rest = sound - both @ np.linalg.lstsq(both, sound, rcond=None)[0]
            if float(rest @ rest) < LIMIT * power:
                return True
        return False

    def back_s(self, board: EmulatedBoard, pick: str, since_us: int) -> float | None:
        """Seconds from an instant until the board sounds in time, and goes on so for half a
        second; None if that has not come."""
        played = self.played(board, pick, since_us, now_us() - _WRITTEN_US)
        good = np.abs(played.error_us) <= IN_TIME_US
        times = played.time_ns
        for first in np.flatnonzero(good):
            end = np.searchsorted(times, times[first] + _HOLD_NS)
            if end >= len(times):
                return None
            stretch = slice(first, end + 1)
            if good[stretch].all() and np.diff(times[stretch]).max() < _SILENCE_NS:
                return round((float(times[first]) - since_us * 1e3) / 1e9, 2)
        return None


def _out_of_time(played: Played, since_us: int) -> list[str]:
    """How far off at most, and from when to when."""
    error_us = played.error_us
    off = np.flatnonzero(np.abs(error_us) > IN_TIME_US)
    if not len(off):
        return []
    worst = int(np.abs(error_us).argmax())
    first, at, last = (played.time_ns[[off[0], worst, off[-1]]] - since_us * 1e3) / 1e9
    side = "late" if error_us[worst] > 0 else "early"
    over = f"{len(off)} of {len(error_us)} blocks over {IN_TIME_US:.0f} us"
    span = f"from {first:.2f} to {last:.2f} s"
    return [
        f"{played.board}: {abs(error_us[worst]):.0f} us off, {side}, at {at:.2f} s; {over}, {span}"
    ]


def until_back(
    truth: Truth, board: EmulatedBoard, pick: str, since_us: int, limit_s: float
) -> float:
    """Wait until a board is back in time; fails after the row's limit. Seconds it took."""
    while True:
        seconds = truth.back_s(board, pick, since_us)
        if seconds is not None:
            assert seconds <= limit_s, f"{board.name}: back only after {seconds} s"
            return seconds
        waited = (now_us() - since_us) / 1e6
        assert waited < limit_s + 2.0, f"{board.name}: not back within {limit_s} s"
        time.sleep(_POLL_S)


def all_faults(
    truth: Truth, boards: Sequence[tuple[EmulatedBoard, str]], since_us: int, until_us: int
) -> list[str]:
    """`Truth.faults` of several boards."""
    return [f for board, pick in boards for f in truth.faults(board, pick, since_us, until_us)]
