"""The three indices of the library, in one application: changed together or not at all.

A batch of tracks goes into the log as one operation with the albums and artists that it touches,
so they agree with each other after any crash, and nothing has to be mended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from storagebox.library import records
from storagebox.library.records import ALBUMS, ARTISTS, SETTINGS, TRACKS, Record
from storagebox.search.engine.index import Index
from storagebox.search.language.parameters import Where
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings
from storagebox.search.writes import accepting
from storagebox.search.writes.application import Application
from storagebox.search.writes.keys import new_secret
from storagebox.search.writes.operations import (
    CLEAR,
    DELETE,
    UPDATE,
    AddKey,
    Batch,
    Operation,
    Request,
)

_PAGE: Final = 1000
_KEY: Final = {"acl": ["search", "browse"], "description": "phantom find"}
# Of the tracks of an album or artist, what its record takes.
_TAKEN: Final = [
    *("title", "artist", "album", "album_artist", "credited", "genre", "year", "duration_s"),
    *("disc", "track", "uri", "album_id", "artist_ids"),
]

Stamp = tuple[int, int]
"""What tells that a file has changed: when it last did, in ms since 1970, and its bytes."""


class Shelf:
    """One thread writes. Raises Refused where the application takes no writes now."""

    def __init__(self, application: Application, patience_s: float = 600) -> None:
        self._application = application
        self._patience_s = patience_s

    def prepare(self) -> None:
        """Give the indices their settings; forget all if another version has read it."""
        known = self._application.meta(TRACKS, "settings") or {}
        if known.get("userData") != SETTINGS[TRACKS]["userData"]:
            self._submit(Batch(tuple(Request(name, CLEAR) for name in SETTINGS)))
        for name, settings in SETTINGS.items():
            if self._application.meta(name, "settings") != settings:
                self._submit(accepting.set_settings(name, settings, forward=False))

    def search_key(self, now_ms: int) -> str:
        """A key that may search here and nothing else; the same each time."""
        for key in self._application.keys.all(now_ms):
            if key.fields["description"] == _KEY["description"]:
                return key.value
        value = new_secret()
        self._submit(AddKey(value, _KEY))
        return value

    def stamps(self) -> dict[str, Stamp]:
        """All files as they were read, by objectID."""
        wanted = ["modified_ms", "bytes"]
        return {
            each["objectID"]: (each.get("modified_ms", 0), each.get("bytes", 0))
            for each in self._browse(wanted)
        }

    def get(self, object_id: str) -> Record | None:
        """A track."""
        return self._tracks.get(object_id)

    def counts(self) -> dict[str, int]:
        """How many there are of each."""
        indices = ((name, self._application.index(name)) for name in SETTINGS)
        return {name: len(index) if index is not None else 0 for name, index in indices}

    def change(self, put: Sequence[Record], gone: Iterable[str]) -> None:
        """Put tracks on the shelf, take others off; albums and artists follow. Seen on return."""
        new = {record["objectID"]: record for record in put}
        touched = dict.fromkeys([*new, *gone])
        before = [found for one in touched if (found := self.get(one)) is not None]
        requests = [Request(TRACKS, UPDATE, one, record) for one, record in new.items()]
        requests += [Request(TRACKS, DELETE, one) for one in touched if one not in new]
        both = [*before, *new.values()]
        for album_id in _mentioned(both, "album_id"):
            tracks = self._with("album_id", album_id, touched, new)
            requests.append(_follows(ALBUMS, album_id, tracks and records.album(tracks)))
        for artist_id in _mentioned(both, "artist_ids"):
            tracks = self._with("artist_ids", artist_id, touched, new)
            record = tracks and records.artist(artist_id, tracks)
            requests.append(_follows(ARTISTS, artist_id, record))
        if requests:
            self._submit(Batch(tuple(requests)))

    def _with(
        self, attribute: str, value: str, touched: Mapping[str, None], new: Mapping[str, Record]
    ) -> list[Record]:
        """All tracks that will have this value."""
        staying = self._browse(_TAKEN, f"{attribute}:{value}")
        kept = [each for each in staying if each["objectID"] not in touched]
        return kept + [each for each in new.values() if value in _values(each, attribute)]

    def _browse(self, attributes: list[str], filters: str = "") -> Iterator[dict[str, Any]]:
        settings = Settings.from_json(self._application.meta(TRACKS, "settings") or {})
        params = {"attributesToRetrieve": attributes, "filters": filters}
        query = Query.parse(params, settings, Where.BROWSE)
        index, cursor = self._tracks, None
        while True:
            found, cursor = index.browse(query, cursor, _PAGE)
            yield from found
            if cursor is None:
                return

    @property
    def _tracks(self) -> Index:
        return cast("Index", self._application.index(TRACKS))

    def _submit(self, operation: Operation) -> None:
        task = self._application.submit(operation)
        self._application.wait(task, self._patience_s)


def _follows(index: str, object_id: str, record: Any) -> Request:
    """An album or artist goes with its last track."""
    if not record:
        return Request(index, DELETE, object_id)
    return Request(index, UPDATE, object_id, record)


def _mentioned(tracks: Iterable[Record], attribute: str) -> list[str]:
    return list(dict.fromkeys(value for each in tracks for value in _values(each, attribute)))


def _values(record: Record, attribute: str) -> Sequence[str]:
    value: Any = record.get(attribute, ())
    return (value,) if isinstance(value, str) else value
