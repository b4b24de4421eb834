"""A small album of the project's own, for whoever has no music at hand.

Five short songs in five formats, so that playing it exercises real decoding and resampling:
FLAC 24/96, FLAC 16/44.1, MP3, Opus in Ogg and WAV 16/48. Synthesised, original, tagged, and the
same each time.

    python -m tools.album [FOLDER]                        (build/album)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mutagen.id3
import mutagen.wave
from mutagen.easyid3 import EasyID3
from mutagen.flac import FLAC
from mutagen.oggopus import OggOpus

from .encoding import encode
from .songs import ALBUM, ARTIST, SONGS, Song

_STAMP = ".made-from"
"""Beside the songs: a digest of the code that made them. Hidden, so that nobody plays it."""

Progress = Callable[[float, str], object]
"""Hears the share of the work that is done, 0 to 1, and what is being done."""


def make_album(folder: Path, progress: Progress | None = None) -> list[Path]:
    """Makes the album in `folder` unless it is there already; returns its files in order.

    Takes a few seconds. Raises OSError where the folder cannot be written.
    """
    report = progress or _silent
    paths = [folder / song.file_name(number) for number, song in enumerate(SONGS, 1)]
    stamp = folder / _STAMP
    digest = _digest()
    if stamp.is_file() and stamp.read_text() == digest and all(map(Path.is_file, paths)):
        report(1.0, "there already")
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for number, (song, path) in enumerate(zip(SONGS, paths, strict=True), 1):
        report((number - 1) / len(SONGS), song.title)
        make_song(song, number, path)
    stamp.write_text(digest)
    report(1.0, "done")
    return paths


def make_song(song: Song, number: int, path: Path) -> None:
    """Performs, encodes and tags one song."""
    unfinished = path.with_name(f".unfinished.{song.extension}")
    encode(unfinished, song.perform(song.rate), song.rate, song.encoding)
    _tag(unfinished, song, number)
    unfinished.replace(path)


def _tag(path: Path, song: Song, number: int) -> None:
    values = {
        "title": song.title,
        "artist": ARTIST,
        "album": ALBUM,
        "tracknumber": f"{number}/{len(SONGS)}",
    }
    if song.extension == "wav":
        _tag_wav(path, values)
        return
    kinds = {"flac": FLAC, "mp3": EasyID3, "opus": OggOpus}
    tags: Any = EasyID3() if song.extension == "mp3" else kinds[song.extension](path)
    tags.update(values)
    tags.save(path)


def _tag_wav(path: Path, values: dict[str, str]) -> None:
    """WAV carries ID3, and mutagen has no easy names for that."""
    file: Any = mutagen.wave.WAVE(path)
    file.add_tags()
    frames = {"TIT2": "title", "TPE1": "artist", "TALB": "album", "TRCK": "tracknumber"}
    for frame, meaning in frames.items():
        file.tags.add(getattr(mutagen.id3, frame)(encoding=3, text=values[meaning]))
    file.save()


def _silent(_share: float, _doing: str) -> None:
    pass


def _digest() -> str:
    """Of everything that the album is made from, so that a changed song is made anew."""
    digest = hashlib.sha256()
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()
