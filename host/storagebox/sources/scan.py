"""Which files a person means by a folder, and in which order they play."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from storagebox.library.folders import Identity, contents
from storagebox.library.tags import read_tags

from .events import Skipped
from .source import SourceError


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


def _walk(folder: Path, seen: set[Identity]) -> Iterator[str | Skipped]:
    """The folder's own files by their tags, then its folders by their names."""
    try:
        found = contents(folder, seen)
    except OSError as error:
        yield Skipped(str(folder), _fault(error))
        return
    if found is None:
        return
    yield from map(str, in_order(Path(entry.path) for entry in found.files))
    folders = [Path(entry.path) for entry in found.folders]
    for inner in sorted(folders, key=lambda path: natural(path.name)):
        yield from _walk(inner, seen)


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
