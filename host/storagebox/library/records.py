"""Tracks, albums and artists as the search API has them.

A track is a file. Albums and artists are what tracks have in common: their records follow from
their tracks' alone. Attributes that would say nothing are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from storagebox.library.tags import Tags

TRACKS: Final = "tracks"
ALBUMS: Final = "albums"
ARTISTS: Final = "artists"

# Grows with whatever changes what is taken from a file: then all are read again.
VERSION: Final = 2

Record = Mapping[str, Any]

SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    TRACKS: {
        "searchableAttributes": [
            "title",
            "artist",
            "album",
            "unordered(album_artist)",
            "unordered(composer)",
            "unordered(folder)",
        ],
        "attributesForFaceting": [
            "searchable(artist)",
            "searchable(album_artist)",
            "searchable(genre)",
            "year",
            "filterOnly(album_id)",
            "filterOnly(artist_ids)",
        ],
        # What is equally good comes as it lies on the shelf.
        "customRanking": ["asc(year)", "asc(album)", "asc(disc)", "asc(track)", "asc(title)"],
        "userData": {"version": VERSION},
    },
    ALBUMS: {
        "searchableAttributes": ["title", "artist"],
        "attributesForFaceting": [
            "searchable(artist)",
            "searchable(genre)",
            "year",
            "filterOnly(artist_ids)",
        ],
        "customRanking": ["asc(year)", "asc(title)"],
    },
    ARTISTS: {
        "searchableAttributes": ["name"],
        "customRanking": ["desc(tracks)", "asc(name)"],
    },
}

_VARIOUS: Final = "Various artists"
_LONGEST_FOLDER: Final = 500
# "01 - ", "1-03. ", "07_": what a name begins with to keep its place in a folder.
_NUMBER: Final = re.compile(r"^(?:\d{1,2}[-.])?\d{1,3}(?:\s*[-._)]\s*|\s+)(?=\S)")
_DISC: Final = re.compile(r"(?:cd|dis[ck])[\s._-]*\d{1,3}", re.IGNORECASE)


def track_id(path: str) -> str:
    """The objectID of a file at `path`, relative to the music folder, with slashes."""
    return _digest(path)


def uri(path: str) -> str:
    """A relative path as a relative URI, which holds names that aren't UTF-8, too."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")


def path_of(uri: str) -> str:
    """The relative path again."""
    return unquote_to_bytes(uri).decode("utf-8", "surrogateescape")


def track(path: str, tags: Tags, modified_ms: int, size: int) -> dict[str, Any]:
    """The record of a file. `path` is relative to the music folder, with slashes."""
    place = PurePath(path)
    folder = str(place.parent) if place.parent.parts else ""
    credited = dict.fromkeys(filter(None, (*tags.artists, tags.album_artist)))
    return _told(
        {
            "objectID": track_id(path),
            "title": tags.title or _NUMBER.sub("", _text(place.stem)),
            "artist": tags.artist,
            "album": tags.album,
            "album_artist": tags.album_artist,
            "composer": tags.composer,
            "genre": list(tags.genres),
            "year": tags.year,
            "disc": tags.disc,
            "track": tags.track,
            "duration_s": round(tags.duration_s or 0, 1),
            # Where tags tell, folders only repeat them, and neighbours there outrank a title.
            # So they are looked at where tags don't tell.
            "folder": "" if tags.artist or tags.album else _text(folder)[-_LONGEST_FOLDER:],
            "uri": uri(path),
            "album_id": _album_id(tags, folder),
            "artist_ids": list(dict.fromkeys(map(_artist_id, credited))),
            "credited": list(credited),
            "modified_ms": modified_ms,
            "bytes": size,
        }
    )


def album(tracks: Sequence[Record]) -> dict[str, Any]:
    """The record of an album from those of its tracks, one at least."""
    first = min(tracks, key=_on_album)
    artist = first.get("album_artist") or _common(each.get("artist", "") for each in tracks)
    return _told(
        {
            "objectID": first["album_id"],
            "title": first["album"],
            "artist": _VARIOUS if artist is None else artist,
            "artist_ids": sorted({one for each in tracks for one in each.get("artist_ids", ())}),
            "genre": _all(tracks, "genre"),
            "year": min((each["year"] for each in tracks if "year" in each), default=0),
            "tracks": len(tracks),
            "duration_s": round(sum(each.get("duration_s", 0) for each in tracks), 1),
        }
    )


def artist(object_id: str, tracks: Sequence[Record]) -> dict[str, Any]:
    """The record of an artist from those of all tracks that are credited to it, one at least."""
    names = [
        name
        for each in tracks
        for name in each.get("credited", ())
        if _artist_id(name) == object_id
    ]
    years = [each["year"] for each in tracks if "year" in each]
    return _told(
        {
            "objectID": object_id,
            # As it is written most often; of two, always the same one.
            "name": max(sorted(set(names)), key=names.count),
            "genre": _all(tracks, "genre"),
            "albums": len({each["album_id"] for each in tracks if "album_id" in each}),
            "tracks": len(tracks),
            "first_year": min(years, default=0),
            "last_year": max(years, default=0),
        }
    )


def _told(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value or name == "title"}


def _album_id(tags: Tags, folder: str) -> str:
    """Of an album by its artist; one without is what lies together."""
    if not tags.album:
        return ""
    if tags.album_artist:
        return _digest("artist", _folded(tags.album_artist), _folded(tags.album))
    place = PurePath(folder)
    if _DISC.fullmatch(place.name):
        place = place.parent
    return _digest("folder", str(place), _folded(tags.album))


def _artist_id(name: str) -> str:
    return _digest("name", _folded(name))


def _digest(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return blake2b(text, digest_size=8).hexdigest()


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _text(name: str) -> str:
    """What of a name can be shown and looked for."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _on_album(record: Record) -> tuple[int, int, str]:
    return record.get("disc", 0), record.get("track", 0), record["uri"]


def _common(texts: Iterable[str]) -> str | None:
    """The one text that all are; None if they differ."""
    different = set(texts)
    return different.pop() if len(different) == 1 else None


def _all(tracks: Iterable[Record], attribute: str) -> list[str]:
    return sorted({value for each in tracks for value in each.get(attribute, ())})
