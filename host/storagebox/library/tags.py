"""Tags of audio files, whatever the tagging scheme, read by mutagen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mutagen
from mutagen.mp3 import BitrateMode

# One meaning, many names: Vorbis comments and mutagen's easy ID3 and MP4; plain ID3 (in WAV and
# AIFF); APEv2; ASF.
_NAMES = {
    "title": ("title", "TIT2", "Title"),
    "artist": ("artist", "TPE1", "Artist", "Author"),
    "artists": ("artists", "Artists", "WM/ARTISTS"),  # each by itself, where "artist" is a phrase
    "album": ("album", "TALB", "Album", "WM/AlbumTitle"),
    "album artist": ("albumartist", "album artist", "TPE2", "Album Artist", "WM/AlbumArtist"),
    "composer": ("composer", "TCOM", "Composer", "WM/Composer"),
    "genre": ("genre", "TCON", "Genre", "WM/Genre"),
    "date": ("originaldate", "originalyear", "TDOR", "date", "year", "TDRC", "Year", "WM/Year"),
    "disc": ("discnumber", "TPOS", "Disc", "WM/PartOfSet"),
    "track": ("tracknumber", "TRCK", "Track", "WM/TrackNumber"),
}

_LONGEST = 500  # characters of a tag that go further: some hold whole books
_MOST = 20  # values of one tag
_YEARS = range(1000, 3000)


@dataclass(frozen=True)
class Tags:
    """What a file says about itself: empty strings, zeros and None where it says nothing."""

    title: str = ""
    artist: str = ""
    album: str = ""
    disc: int = 0
    track: int = 0
    duration_s: float | None = None
    artists: tuple[str, ...] = ()  # who together are `artist`
    album_artist: str = ""
    composer: str = ""
    genres: tuple[str, ...] = ()
    year: int = 0  # of the first release, where it is known


def read_tags(path: Path) -> Tags:
    """The tags of a file. Never fails: what cannot be read has no tags."""
    try:
        file: Any = mutagen.File(path, easy=True)  # pyright: ignore
        if file is None:
            return Tags()
        tags = file.tags
        return Tags(
            title=_text(tags, "title"),
            artist=_text(tags, "artist"),
            album=_text(tags, "album"),
            disc=_number(_text(tags, "disc")),
            track=_number(_text(tags, "track")),
            duration_s=_duration_s(file.info),
            artists=_values(tags, "artists") or _values(tags, "artist"),
            album_artist=_text(tags, "album artist"),
            composer=_text(tags, "composer"),
            genres=_values(tags, "genre"),
            year=_year(_text(tags, "date")),
        )
    except Exception:  # mutagen lets through whatever its parsers stumble over in damaged files
        return Tags()


def _text(tags: Any, meaning: str) -> str:
    return "; ".join(_values(tags, meaning))[:_LONGEST]


def _values(tags: Any, meaning: str) -> tuple[str, ...]:
    """The values of the first tag of this meaning that has any, each of them once."""
    if tags is None:
        return ()
    for name in _NAMES[meaning]:
        try:
            value: Any = tags[name]
        except (KeyError, ValueError):
            continue
        value = getattr(value, "text", value)  # of an ID3 frame: a list
        values = cast(list[Any], value) if isinstance(value, list) else [value]
        texts = (" ".join(text.split()) for each in values for text in str(each).split("\0"))
        found = tuple(dict.fromkeys(text[:_LONGEST] for text in texts if text))[:_MOST]
        if found:
            return found
    return ()


def _number(text: str) -> int:
    """The first number of "3", "03/12" and the like."""
    digits = re.match(r"\d{1,6}", text)
    return int(digits[0]) if digits else 0


def _year(text: str) -> int:
    """The year of "1977-10-14", "14.10.1977" and the like."""
    years = (int(digits) for digits in re.findall(r"(?<!\d)\d{4}(?!\d)", text))
    return next((year for year in years if year in _YEARS), 0)


def _duration_s(info: Any) -> float | None:
    # Without a Xing or VBRI header, the length of an MP3 is a guess from its first frames.
    if getattr(info, "bitrate_mode", None) == BitrateMode.UNKNOWN:
        return None
    length = getattr(info, "length", None)
    return float(length) if length else None
