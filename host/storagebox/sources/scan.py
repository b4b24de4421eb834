"""Which files a person means by a folder, and in which order they play."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from .events import Skipped
from .source import SourceError
from .tags import read_tags

# What lies beside music and isn't music. Anything else in a folder is tried: FFmpeg knows more
# kinds of audio than any list of names would.
_COMPANIONS = frozenset(
    """
    jpg jpeg png gif bmp webp tif tiff svg ico heic avif psd
    txt md nfo log html htm pdf rtf doc docx odt epub xml json yaml lrc srt ass csv
    cue m3u m3u8 pls xspf wpl asx sfv md5 ffp sha1 sha256 accurip toc
    db ini url lnk desktop torrent part crdownload tmp bak zip rar 7z gz tar exe py sh
    """.split()  # noqa: SIM905
)


def expand(requested: Sequence[str]) -> Iterator[str | Skipped]:
    """Paths of files and folders → files in playing order, with what has to be left out.

    Lazy: only the first folder is read before the first file is known. Raises SourceError at once
    where there is nothing to play at all.
    """
    found = _expand(requested)
    skipped: list[str | Skipped] = []
    for item in found:
        if isinstance(item, str):
            return chain(skipped, [item], found)
        skipped.append(item)
    if not requested:
        raise SourceError("nothing to play: name a file or a folder")
    first = next((each for each in skipped if isinstance(each, Skipped)), None)
    if first is None:
        raise SourceError("nothing to play")
    raise SourceError(f"nothing to play: {first.path}: {first.reason}")


def check(requested: Sequence[str]) -> None:
    """Raises SourceError, with one line for a person, where there is nothing to play."""
    expand(requested)


def _expand(requested: Sequence[str]) -> Iterator[str | Skipped]:
    for name in requested:
        path = Path(name).expanduser()
        try:
            is_folder = path.is_dir()
            path.stat()
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            fault = "no such file or folder" if missing else _fault(error)
            yield Skipped(name, fault)
            continue
        if not is_folder:
            yield str(path)
            continue
        empty = True
        for item in _walk(path, set()):
            empty = False
            yield item
        if empty:
            yield Skipped(name, "no audio files in this folder")


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[str | Skipped]:
    """The folder's own files by their tags, then its folders by their names."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return  # a symbolic link leads back here
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        yield Skipped(str(folder), _fault(error))
        return
    files = [Path(entry.path) for entry in visible if _is_candidate(entry)]
    yield from map(str, in_order(files))
    folders = [Path(entry.path) for entry in visible if entry.is_dir()]
    for inner in sorted(folders, key=lambda path: natural(path.name)):
        yield from _walk(inner, seen)


def _is_candidate(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and Path(entry.name).suffix[1:].lower() not in _COMPANIONS


def in_order(files: Iterable[Path]) -> list[Path]:
    """Files of one folder by album, disc and track as tagged, then naturally by name."""

    def key(path: Path) -> tuple[object, ...]:
        tags = read_tags(path)
        return natural(tags.album), tags.disc, tags.track, natural(path.name), path.name

    return sorted(files, key=key)


def natural(text: str) -> tuple[tuple[float, str], ...]:
    """A sorting key under which "Track 2" comes before "Track 10", and that before "Track A"."""
    parts = re.findall(r"(\d+)|(\D+)", text.casefold())
    return tuple((int(number), "") if number else (math.inf, word) for number, word in parts)


def _fault(error: OSError) -> str:
    return f"not readable: {(error.strerror or str(error)).lower()}"
