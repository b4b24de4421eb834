"""`phantom find`: tracks, albums and artists of the box's library, found by what one remembers."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .app import MUSIC, app
from .ask import ask, show_json
from .ending import FAILED, fail
from .options import Control, Json, RoomNames, State

if TYPE_CHECKING:
    from .search_client import SearchClient

# How many are shown beside ten tracks.
_ALBUMS, _ARTISTS = 5, 3
_MOST = 1000
_TRIES = 5


class Kind(StrEnum):
    """What can be found."""

    TRACKS = "tracks"
    ALBUMS = "albums"
    ARTISTS = "artists"


@app.command(rich_help_panel=MUSIC)
def find(
    words: Annotated[
        list[str], typer.Argument(help="Words of title, artist, album; the last may be begun.")
    ],
    only: Annotated[Kind | None, typer.Option(help="Nothing else.")] = None,
    limit: Annotated[int, typer.Option(help="How many tracks are shown.", min=1, max=_MOST)] = 10,
    play: Annotated[
        int | None, typer.Option("--play", help="Play what has this number.", min=1)
    ] = None,
    room: RoomNames = None,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Find tracks, albums and artists in the box's music, and play them."""
    from .search_client import SearchClient, SearchFault

    library = ask(control, state, "library")
    if not library["key"]:
        fail(f"the library can't be searched: {library['trouble']}", FAILED)
    query = " ".join(words)
    try:
        with SearchClient(Path(library["socket"]), library["application"], library["key"]) as api:
            found = _search(api, query, only, limit, marks=not as_json and play is None)
            chosen = _chosen(found, play) if play is not None else None
            paths = _paths(api, chosen, library["music"]) if chosen is not None else []
    except SearchFault as fault:
        fail(str(fault), FAILED)
    if chosen is not None:
        answer = ask(control, state, "play", paths=paths, rooms=room)
        if as_json:
            show_json({**answer, "paths": paths})
        else:
            where = ", ".join(room) if room else "every room"
            print(f"playing {chosen.get('title') or chosen.get('name')} in {where}")
        return
    if as_json:
        show_json(_as_json(query, found, library))
        return
    from . import find_table, tables

    tables.show(*find_table.found(found, library))


def _search(
    api: SearchClient, query: str, only: Kind | None, limit: int, *, marks: bool
) -> dict[str, Any]:
    """The answers by kind, their hits numbered through all of them."""
    from .find_table import AFTER, BEFORE

    counts = {Kind.TRACKS: limit, Kind.ALBUMS: _ALBUMS, Kind.ARTISTS: _ARTISTS}
    if only is not None:
        counts = {only: limit}
    requests = [
        {
            "indexName": kind.value,
            "query": query,
            "hitsPerPage": count,
            "attributesToHighlight": ["title", "artist", "album", "name"] if marks else [],
            "highlightPreTag": BEFORE,
            "highlightPostTag": AFTER,
        }
        for kind, count in counts.items()
    ]
    found = api.search(requests)
    for _ in range(_TRIES):
        # A box that is busy looks for typos only while it has time; who asks has more of it.
        if all(answer.get("exhaustiveTypo", True) for answer in found):
            break
        found = api.search(requests)
    answers = dict(zip((kind.value for kind in counts), found, strict=True))
    number = 0
    for answer in answers.values():
        for hit in answer["hits"]:
            number += 1
            hit["number"] = number
    return answers


def _chosen(found: dict[str, Any], number: int) -> dict[str, Any]:
    hits = [{**hit, "kind": kind} for kind, answer in found.items() for hit in answer["hits"]]
    if not hits:
        fail("nothing found")
    if number > len(hits):
        fail(f"--play {number}: only {len(hits)} were found")
    return hits[number - 1]


def _paths(api: SearchClient, chosen: dict[str, Any], music: str) -> list[str]:
    """What is to be played, in order: a track; an album's or an artist's."""
    if chosen["kind"] == Kind.TRACKS:
        return [_path(music, chosen)]
    attribute = "album_id" if chosen["kind"] == Kind.ALBUMS else "artist_ids"
    query = {
        "indexName": Kind.TRACKS.value,
        "filters": f"{attribute}:{chosen['objectID']}",
        "attributesToRetrieve": ["uri"],
        "attributesToHighlight": [],
        "hitsPerPage": _MOST,
    }
    return [_path(music, hit) for hit in api.search([query])[0]["hits"]]


def _path(music: str, track: dict[str, Any]) -> str:
    from storagebox.library.records import path_of

    return os.path.join(music, path_of(track["uri"]))  # noqa: PTH118 text that the box made


def _as_json(query: str, found: dict[str, Any], library: dict[str, Any]) -> dict[str, Any]:
    def shown(hit: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in hit.items() if not name.startswith("_")}
        return {**kept, "path": _path(library["music"], hit)} if "uri" in hit else kept

    return {
        "query": query,
        "complete": library["complete"],
        **{kind: [shown(hit) for hit in answer["hits"]] for kind, answer in found.items()},
        "found": {kind: answer["nbHits"] for kind, answer in found.items()},
    }
