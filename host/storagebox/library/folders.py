"""What of a folder is music, and what only lies beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# What lies beside music and isn't music. Anything else in a folder is tried: FFmpeg knows more
# kinds of audio than any list of names would.
_COMPANIONS: Final = frozenset(
    """
    jpg jpeg png gif bmp webp tif tiff svg ico heic avif psd
    txt md nfo log html htm pdf rtf doc docx odt epub xml json yaml lrc srt ass csv
    cue m3u m3u8 pls xspf wpl asx sfv md5 ffp sha1 sha256 accurip toc
    db ini url lnk desktop torrent part crdownload tmp bak zip rar 7z gz tar exe py sh
    """.split()  # noqa: SIM905
)

Identity = tuple[int, int]
"""A folder's device and inode: the same by whichever name it is reached."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is directly in a folder, in no order; hidden files and companions are left out."""

    files: list[os.DirEntry[str]]
    folders: list[os.DirEntry[str]]
    changed_ns: int  # when something was last added, removed or renamed in it


def contents(folder: Path, seen: set[Identity]) -> Contents | None:
    """What is in a folder; None if it is one of those `seen`, since a link leads back to it.

    Adds it to `seen`. Raises OSError if it can't be read.
    """
    status = folder.stat()
    identity = status.st_dev, status.st_ino
    if identity in seen:
        return None
    seen.add(identity)
    with os.scandir(folder) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    return Contents(
        files=[entry for entry in visible if _is_candidate(entry)],
        folders=[entry for entry in visible if entry.is_dir()],
        changed_ns=status.st_mtime_ns,
    )


def _is_candidate(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and Path(entry.name).suffix[1:].lower() not in _COMPANIONS
