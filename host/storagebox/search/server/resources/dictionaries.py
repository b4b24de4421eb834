"""An application's own stop words, plurals and compounds."""

from __future__ import annotations

from typing import Any, Final

from storagebox.search.language.languages import LANGUAGES
from storagebox.search.server.call import Call, whole
from storagebox.search.server.resources.items import now
from storagebox.search.writes.operations import DictionaryBatch, SetDictionarySettings
from storagebox.search.writes.refused import Refused

_DICTIONARIES: Final = ("stopwords", "plurals", "compounds")
_PAGE: Final = 20
_MAX_PAGE: Final = 1000


async def settings(call: Call) -> Any:
    """GET /1/dictionaries/*/settings."""
    given = call.application.dictionary_settings
    empty: dict[str, Any] = {name: {} for name in _DICTIONARIES}
    return {"disableStandardEntries": {**empty, **given.get("disableStandardEntries", {})}}


async def set_settings(call: Call) -> Any:
    """PUT /1/dictionaries/*/settings."""
    disabled = call.fields().get("disableStandardEntries")
    if not isinstance(disabled, dict) or disabled.keys() - set(_DICTIONARIES):
        raise Refused(f"disableStandardEntries: expected an object of {', '.join(_DICTIONARIES)}")
    task_id = await call.write(
        lambda _: SetDictionarySettings({"disableStandardEntries": disabled})
    )
    return {"updatedAt": now(call), "taskID": task_id}


async def languages(call: Call) -> Any:
    """GET /1/dictionaries/*/languages: how many entries each language has of an application's."""
    held = call.application.dictionaries
    counts: dict[str, dict[str, int]] = {}
    for name in _DICTIONARIES:
        for entry in held.get(name, {}).values():
            of = counts.setdefault(str(entry.get("language")), {})
            of[name] = of.get(name, 0) + 1
    return {
        language: {
            name: {"nbCustomEntries": counts[language][name]}
            if counts.get(language, {}).get(name)
            else None
            for name in _DICTIONARIES
        }
        for language in sorted(LANGUAGES)
    }


async def batch(call: Call) -> Any:
    """POST /1/dictionaries/{dictionary}/batch."""
    name, body = _dictionary(call), call.fields()
    requests = body.get("requests")
    if not isinstance(requests, list):
        raise Refused("requests: expected a list")
    add: list[dict[str, Any]] = []
    gone: list[str] = []
    for position, request in enumerate(requests):
        action = request.get("action") if isinstance(request, dict) else None
        entry = request.get("body") if isinstance(request, dict) else None
        if action not in ("addEntry", "deleteEntry"):
            raise Refused(f"request {position}: expected action addEntry or deleteEntry")
        if not isinstance(entry, dict) or not isinstance(entry.get("objectID"), str):
            raise Refused(f"request {position}: the body has no objectID")
        if action == "addEntry":
            if entry.get("language") not in LANGUAGES:
                raise Refused(f"request {position}: unknown language {entry.get('language')!r}")
            add.append(entry)
        else:
            gone.append(entry["objectID"])
    clear = body.get("clearExistingDictionaryEntries") is True
    task_id = await call.write(lambda _: DictionaryBatch(name, tuple(add), tuple(gone), clear))
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
    if name not in _DICTIONARIES:
        raise Refused(f"dictionary: expected one of {', '.join(_DICTIONARIES)}, not {name!r:.40}")
    return name


def _text(entry: dict[str, Any]) -> str:
    words = entry.get("words") or entry.get("decomposition") or ()
    return " ".join((str(entry.get("word") or ""), *map(str, words))).casefold()
