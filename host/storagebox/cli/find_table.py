"""What `phantom find` found, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

Json = Mapping[str, Any]

# Around what a query matched. From Unicode's private use area: in no title that anybody typed.
BEFORE, AFTER = "\ue000", "\ue001"


def found(answers: Mapping[str, Json], library: Json) -> list[RenderableType]:
    """A table a kind, numbered through; what else there is to say."""
    makers = {"tracks": _tracks, "albums": _albums, "artists": _artists}
    parts: list[RenderableType] = [
        makers[kind](answer["hits"]) for kind, answer in answers.items() if answer["hits"]
    ]
    if not parts:
        parts.append(Text("nothing found"))
    if library["trouble"]:
        parts.append(Text(library["trouble"], style="yellow"))
    elif not library["complete"]:
        parts.append(Text(f"still reading: {library.get('tracks', 0)} tracks so far", style="dim"))
    return parts


def marked(text: str) -> Text:
    """A highlighted value, with what matched in bold."""
    shown = Text()
    for number, part in enumerate(text.split(BEFORE)):
        if not number:
            shown.append(part)
            continue
        matched, _, rest = part.partition(AFTER)
        shown.append(matched, style="bold")
        shown.append(rest)
    return shown


def _tracks(hits: Sequence[Json]) -> Table:
    table = _table("track", "artist", "album")
    for hit in hits:
        title, artist, album = (_value(hit, name) for name in ("title", "artist", "album"))
        table.add_row(*_numbered(hit), title, artist, album, _year(hit), _clock(hit))
    return table


def _albums(hits: Sequence[Json]) -> Table:
    table = _table("album", "artist", "")
    for hit in hits:
        title, artist = (_value(hit, name) for name in ("title", "artist"))
        table.add_row(*_numbered(hit), title, artist, _tracks_in(hit), _year(hit), _clock(hit))
    return table


def _artists(hits: Sequence[Json]) -> Table:
    table = _table("artist", "", "")
    for hit in hits:
        albums = hit.get("albums", 0)
        on = Text(f"{albums} album{'' if albums == 1 else 's'}" if albums else "")
        table.add_row(*_numbered(hit), _value(hit, "name"), on, _tracks_in(hit), _years(hit), "")
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("", justify="right", style="dim", no_wrap=True)
    for name in names:
        table.add_column(name, overflow="fold")
    table.add_column("", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    return table


def _numbered(hit: Json) -> tuple[str]:
    return (str(hit["number"]),)


def _value(hit: Json, attribute: str) -> Text:
    highlighted: Json = hit.get("_highlightResult") or {}
    found: Any = highlighted.get(attribute)
    return marked(found["value"] if found else str(hit.get(attribute, "")))


def _tracks_in(hit: Json) -> Text:
    count = hit.get("tracks", 0)
    return Text(f"{count} track{'' if count == 1 else 's'}")


def _year(hit: Json) -> str:
    return str(hit.get("year", ""))


def _years(hit: Json) -> str:
    first, last = hit.get("first_year"), hit.get("last_year")
    return f"{first or ''}" if first == last else f"{first}–{last}"


def _clock(hit: Json) -> str:
    whole = round(hit.get("duration_s", 0))
    if not whole:
        return ""
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
