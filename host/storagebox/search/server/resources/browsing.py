"""Browsing: all that matches, page by page."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from storagebox.search.language.errors import LanguageError
from storagebox.search.language.parameters import Where
from storagebox.search.server.call import Call
from storagebox.search.server.resources.searching import parsed

# How many records a page of a browse has unless it is said.
_PAGE: Final = 1000


async def browse(call: Call) -> Any:
    """POST …/browse."""
    return await _browse(call, call.fields(optional=True))


async def browse_in_address(call: Call) -> Any:
    """GET …/browse."""
    return await _browse(call, {"params": urlencode(call.query)} if call.query else {})


async def _browse(call: Call, params: dict[str, Any]) -> Any:
    name = call.index
    view = call.view(name)

    def page() -> dict[str, Any]:
        began_s = perf_counter()
        first = parsed(call, name, params, Where.BROWSE)
        query, after, seen = first, None, 0
        if first.cursor:
            given, after, seen = _resumed(first.cursor)
            query = parsed(call, name, given, Where.BROWSE)
        limit = (query.hits_per_page if "hitsPerPage" in query.given else 0) or _PAGE
        if call.grant.max_hits:
            limit = min(limit, call.grant.max_hits)
        hits, cursor = view.index.browse(query, after, limit)
        answer: dict[str, Any] = {
            "hits": hits,
            "page": seen // limit,
            "hitsPerPage": limit,
            "query": query.query,
            "params": query.encoded(),
        }
        if query.filters is None and not query.query:
            answer["nbHits"] = len(view.index)
            answer["nbPages"] = -(-len(view.index) // limit)
        if cursor is not None:
            answer["cursor"] = _cursor(query.given, cursor, seen + len(hits))
        answer["processingTimeMS"] = int((perf_counter() - began_s) * 1000)
        call.hits = len(hits)
        return answer

    return await call.turns.long(call.tenant.line, page)


def _cursor(given: Mapping[str, object], after: str, seen: int) -> str:
    """All that the next page takes: another server may be asked for it."""
    kept = {name: value for name, value in given.items() if name != "cursor"}
    return base64.urlsafe_b64encode(orjson.dumps([kept, after, seen])).decode()


def _resumed(cursor: str) -> tuple[dict[str, Any], str, int]:
    try:
        given, after, seen = orjson.loads(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError, TypeError):
        raise LanguageError("Invalid cursor: begin to browse anew") from None
    if not isinstance(given, dict) or not isinstance(after, str) or not isinstance(seen, int):
        raise LanguageError("Invalid cursor: begin to browse anew")
    return given, after, seen
