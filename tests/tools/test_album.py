"""The album: that it is there, sounds as it should, and is what its tags say."""

from pathlib import Path

import mutagen
import numpy as np
import pytest
import soxr

from storagebox.sources.events import Track
from tests.sources.recordings import listen, noise_db
from tools.album import make_album
from tools.album.mixing import PEAK_DBFS, RMS_DBFS
from tools.album.songs import SONGS

# What a codec may add to a song, in dB below it. A lossless one adds its own rounding only.
AT_LEAST_DB = {"flac": 60, "wav": 60, "mp3": 25, "opus": 20}


class Album:
    def __init__(self, folder: Path) -> None:
        self.said: list[tuple[float, str]] = []
        self.paths = make_album(folder, lambda share, doing: self.said.append((share, doing)))
        self.pcm, self.events = listen(folder)

    def song(self, number: int) -> np.ndarray:
        starts = [frame for frame, _ in self.events] + [len(self.pcm)]
        return self.pcm[starts[number] : starts[number + 1]]


@pytest.fixture(name="album", scope="module")
def _album(tmp_path_factory) -> Album:
    return Album(tmp_path_factory.mktemp("album"))


def test_it_has_five_formats_and_all_of_them_play(album):
    names = [path.name for path in album.paths]
    assert names == [
        "01 Porch Light.flac",
        "02 Night Tram.flac",
        "03 Paper Kites.mp3",
        "04 Glass Harbour.opus",
        "05 Four Doors.wav",
    ]
    formats = [mutagen.File(path).info for path in album.paths]
    assert [getattr(each, "sample_rate", 48000) for each in formats] == [
        96000, 44100, 44100, 48000, 48000,
    ]  # fmt: skip
    assert [formats[number].bits_per_sample for number in (0, 1, 4)] == [24, 16, 16]
    assert 60 < len(album.pcm) / 48000 < 100


def test_it_is_tagged(album):
    assert [event for _, event in album.events] == [
        Track(str(path), song.title, "Phantom", "Five Rooms", event.frames)
        for path, song, (_, event) in zip(album.paths, SONGS, album.events, strict=True)
    ]


def test_every_song_is_as_loud_as_the_others_and_none_clips(album):
    for number in range(len(SONGS)):
        song = album.song(number) / 32768
        assert 20 * np.log10(np.sqrt(np.mean(song**2))) == pytest.approx(RMS_DBFS, abs=0.3)
        # Lossy codecs and resampling may overshoot what was mastered, but never reach the end.
        assert 20 * np.log10(np.abs(song).max()) < PEAK_DBFS + 0.5


def test_every_song_is_stereo_and_begins_at_once_and_ends_in_silence(album):
    for number in range(len(SONGS)):
        song = album.song(number).astype(np.float64)
        left, right = song.T
        assert 0.2 < np.corrcoef(left, right)[0, 1] < 0.97
        assert abs(20 * np.log10(left.std() / right.std())) < 2
        assert np.abs(song[:2400]).max() > 1000  # a first onset within 50 ms, clear of silence
        # But for the last 2 ms, which may hold the resampler's foretaste of the next song.
        assert np.abs(song[-1000:-100]).max() < 10


@pytest.mark.parametrize("number", [1, 2, 4])
def test_what_plays_is_what_was_performed(album, number):
    song = SONGS[number]
    performed = song.perform(song.rate)
    want = soxr.resample(performed * 32768, song.rate, 48000, "VHQ")
    assert noise_db(album.song(number), want) > AT_LEAST_DB[song.extension]


def test_making_it_shows_progress_and_making_it_again_costs_nothing(album):
    shares = [share for share, _ in album.said]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > len(SONGS)
    before = [path.stat().st_mtime_ns for path in album.paths]
    assert make_album(album.paths[0].parent) == album.paths
    assert [path.stat().st_mtime_ns for path in album.paths] == before
