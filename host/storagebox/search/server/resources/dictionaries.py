"""An application's own stop words, plurals and compounds."""

from __future__ import annotations

from typing import Any, Final

from storagebox.search.language.languages import LANGUAGES
from storagebox.search.server.call import Call, whole
from storagebox.search.server.resources.items import now
from storagebox.search.writes import accepting
from storagebox.search.writes.accepting import DICTIONARIES
from storagebox.search.writes.refused import Refused

_PAGE: Final = 20
_MAX_PAGE: Final = 1000


async def settings(call: Call) -> Any:
    """GET /1/dictionaries/*/settings."""
    given = call.application.dictionary_settings
    empty: dict[str, Any] = {name: {} for name in DICTIONARIES}
    return {"disableStandardEntries": {**empty, **given.get("disableStandardEntries", {})}}


async def set_settings(call: Call) -> Any:
    """PUT /1/dictionaries/*/settings."""
    task_id = await call.write(lambda _: accepting.dictionary_settings(call.json()))
    return {"updatedAt": now(call), "taskID": task_id}


async def languages(call: Call) -> Any:
    """GET /1/dictionaries/*/languages: how many entries each language has of an application's."""
    held = call.application.dictionaries
    counts: dict[str, dict[str, int]] = {}
    for name in DICTIONARIES:
        for entry in held.get(name, {}).values():
            of = counts.setdefault(str(entry.get("language")), {})
            of[name] = of.get(name, 0) + 1
    return {
        language: {
            name: {"nbCustomEntries": counts[language][name]}
            if counts.get(language, {}).get(name)
            else None
            for name in DICTIONARIES
        }
        for language in sorted(LANGUAGES)
    }


async def batch(call: Call) -> Any:
    """POST /1/dictionaries/{dictionary}/batch."""
    name = _dictionary(call)
    task_id = await call.write(lambda _: accepting.dictionary_batch(name, call.json()))
    return {"updatedAt": now(call), "taskID": task_id}


async def search(call: Call) -> Any:
    """POST /1/dictionaries/{dictionary}/search."""
    name, body = _dictionary(call), call.fields()
    text = str(body.get("query") or "").casefold()
    language = body.get("language")
    page = whole("page", body.get("page") or 0, 1 << 31)
    size = whole("hitsPerPage", body.get("hitsPerPage") or _PAGE, _MAX_PAGE)
    hits = [
        {**entry, "type": "custom"}
        for entry in call.application.dictionaries.get(name, {}).values()
        if (not language or entry.get("language") == language) and text in _text(entry)
    ]
    return {
        "hits": hits[page * size : (page + 1) * size],
        "nbHits": len(hits),
        "page": page,
        "nbPages": -(-len(hits) // size),
    }


def _dictionary(call: Call) -> str:
    name = call.path["dictionary"]
    if name not in DICTIONARIES:
        raise Refused(f"dictionary: expected one of {', '.join(DICTIONARIES)}, not {name!r:.40}")
    return name


def _text(entry: dict[str, Any]) -> str:
    words = entry.get("words") or entry.get("decomposition") or ()
    return " ".join((str(entry.get("word") or ""), *map(str, words))).casefold()
