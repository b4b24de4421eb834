"""An answer of the search API, as tables for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from .find_table import AFTER, BEFORE, marked

__all__ = ["AFTER", "BEFORE", "answer", "keys"]

Json = Mapping[str, Any]

_COLUMNS: Final = 4
_WIDEST: Final = 200  # characters of a cell
_RANKING: Final = {
    "nbTypos": "typos",
    "words": "words",
    "filters": "filters",
    "proximityDistance": "proximity",
    "firstMatchedWord": "attribute",
    "nbExactWords": "exact",
    "geoDistance": "metres",
}


def keys(found: Sequence[Json], now_s: float) -> RenderableType:
    """API keys, the latest first."""
    if not found:
        return Text("no keys but the admin's", style="dim")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("key", "may", "indices", "limits", "for"):
        table.add_column(heading, overflow="fold")
    for key in found:
        table.add_row(
            Text(str(key["value"])),
            Text(" ".join(key["acl"])),
            Text(" ".join(key["indexes"]) or "all"),
            Text(_limits(key, now_s)),
            Text(str(key["description"])),
        )
    return table


def _limits(key: Json, now_s: float) -> str:
    told: list[str] = []
    if key["validity"]:
        left_s = key["createdAt"] / 1000 + key["validity"] - now_s
        told.append(f"{max(0, round(left_s))} s more")
    if key["maxHitsPerQuery"]:
        told.append(f"{key['maxHitsPerQuery']} hits")
    if key["maxQueriesPerIPPerHour"]:
        told.append(f"{key['maxQueriesPerIPPerHour']} calls/h")
    told += [key["queryParameters"]] if key["queryParameters"] else []
    return " ".join([*told, *key["referers"]]) or "none"


def answer(found: Json, columns: Sequence[str] = ()) -> list[RenderableType]:
    """The hits, facets if they were counted, and how many there are of how much."""
    parts: list[RenderableType] = []
    hits: Sequence[Json] = found["hits"]
    if hits:
        parts.append(_hits(hits, columns or _telling(hits), _first(found)))
    for name, values in found.get("facets", {}).items():
        parts.append(_facet(name, values))
    parts.append(Text(_footer(found), style="dim"))
    return parts


def _hits(hits: Sequence[Json], columns: Sequence[str], first: int) -> Table:
    table = _table()
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column("objectID", overflow="fold")
    for name in columns:
        table.add_column(name, overflow="fold")
    infos: list[Json] = [hit.get("_rankingInfo", {}) for hit in hits]
    ranking = [name for name in _RANKING if any(name in info for info in infos)]
    if not any(info.get("geoDistance") for info in infos):
        ranking = [name for name in ranking if name != "geoDistance"]
    for name in ranking:
        table.add_column(_RANKING[name], justify="right", no_wrap=True)
    for number, (hit, info) in enumerate(zip(hits, infos, strict=True), first):
        table.add_row(
            str(number),
            str(hit["objectID"]),
            *(_cell(hit, name) for name in columns),
            *(str(info.get(name, "")) for name in ranking),
        )
    return table


def _telling(hits: Sequence[Json]) -> list[str]:
    """The columns to show where nobody has said: what matched, then what comes first."""
    names = dict.fromkeys(
        name for hit in hits for name in hit if name != "objectID" and not name.startswith("_")
    )
    matched = [name for name in names if any(_matches(hit, name) for hit in hits)]
    plain = [
        name
        for name in names
        if name not in matched and not all(isinstance(hit.get(name), dict) for hit in hits)
    ]
    chosen = {*matched[:_COLUMNS], *plain[: max(0, _COLUMNS - len(matched))]}
    return [name for name in names if name in chosen]


def _matches(hit: Json, name: str) -> bool:
    return BEFORE in json.dumps(hit.get("_highlightResult", {}).get(name), ensure_ascii=False)


def _cell(hit: Json, name: str) -> Text:
    value: Any = hit
    highlighted: Any = hit.get("_highlightResult", {})
    for part in name.split("."):
        value = cast("Json", value).get(part) if isinstance(value, Mapping) else None
        highlighted = highlighted.get(part) if isinstance(highlighted, Mapping) else None
    text = _shown(highlighted, value)
    cell = marked(text)
    if len(cell) > _WIDEST:
        cell.truncate(_WIDEST)
        cell.append("…")
    return cell


def _shown(highlighted: Any, value: Any) -> str:
    if isinstance(highlighted, Mapping) and isinstance(highlighted.get("value"), str):
        return cast("Json", highlighted)["value"]
    if isinstance(value, list):
        marks = cast("list[Any]", highlighted if isinstance(highlighted, list) else [])
        pairs = zip(marks or [None] * len(value), value, strict=False)
        return ", ".join(_shown(mark, each) for mark, each in pairs)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _facet(name: str, values: Json) -> Table:
    table = _table()
    table.add_column(name, overflow="fold")
    table.add_column("", justify="right")
    for value, count in values.items():
        table.add_row(value, f"{count:,}")
    return table


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)


def _first(found: Json) -> int:
    if "offset" in found:
        return int(found["offset"]) + 1
    return int(found.get("page", 0)) * int(found.get("hitsPerPage", 0)) + 1


def _footer(found: Json) -> str:
    exhaustive: Json = found.get("exhaustive", {})
    about = "" if exhaustive.get("nbHits", True) else "about "
    count = found["nbHits"]
    parts = [f"{about}{count:,} found" if count else "nothing found"]
    if (took_ms := found.get("processingTimeMS")) is not None:
        parts.append(f"{took_ms} ms")
    if found.get("nbPages", 0) > 1:
        parts.append(f"page {found['page'] + 1} of {found['nbPages']:,}")
    if (left := found.get("queryAfterRemoval")) is not None:
        parts.append(f"asked for: {marked(left).plain}")
    return ", ".join(parts)
