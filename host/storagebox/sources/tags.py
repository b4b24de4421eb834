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
    "album": ("album", "TALB", "Album", "WM/AlbumTitle"),
    "disc": ("discnumber", "TPOS", "Disc", "WM/PartOfSet"),
    "track": ("tracknumber", "TRCK", "Track", "WM/TrackNumber"),
}

_LONGEST = 500  # characters of a tag that go further: some hold whole books


@dataclass(frozen=True)
class Tags:
    """What a file says about itself: empty strings, zeros and None where it says nothing."""

    title: str = ""
    artist: str = ""
    album: str = ""
    disc: int = 0
    track: int = 0
    duration_s: float | None = None


def read_tags(path: Path) -> Tags:
    """The tags of a file. Never fails: what cannot be read has no tags."""
    try:
        file: Any = mutagen.File(path, easy=True)  # pyright: ignore
        if file is None:
            return Tags()
        return Tags(
            title=_text(file.tags, "title"),
            artist=_text(file.tags, "artist"),
            album=_text(file.tags, "album"),
            disc=_number(_text(file.tags, "disc")),
            track=_number(_text(file.tags, "track")),
            duration_s=_duration_s(file.info),
        )
    except Exception:  # mutagen lets through whatever its parsers stumble over in damaged files
        return Tags()


def _text(tags: Any, meaning: str) -> str:
    if tags is None:
        return ""
    for name in _NAMES[meaning]:
        try:
            value: Any = tags[name]
        except (KeyError, ValueError):
            continue
        values = cast(list[Any], value) if isinstance(value, list) else [value]
        text = " ".join("; ".join(str(each) for each in values).split())[:_LONGEST]
        if text:
            return text
    return ""


def _number(text: str) -> int:
    """The first number of "3", "03/12" and the like."""
    digits = re.match(r"\d{1,6}", text)
    return int(digits[0]) if digits else 0


def _duration_s(info: Any) -> float | None:
    # Without a Xing or VBRI header, the length of an MP3 is a guess from its first frames.
    if getattr(info, "bitrate_mode", None) == BitrateMode.UNKNOWN:
        return None
    length = getattr(info, "length", None)
    return float(length) if length else None
