"""Searches for the values of a facet."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

from storagebox.search.language.parameters import Where
from storagebox.search.language.query import Query
from storagebox.search.server.call import Call


async def search(call: Call) -> Any:
    """POST …/facets/{facet}/query."""
    return await found(call, call.index, call.path["facet"], call.fields(optional=True))


async def found(call: Call, name: str, facet: str, params: Mapping[str, Any]) -> Any:
    """The values of a facet that match, as the API's answer."""
    view = call.view(name)

    def values() -> Any:
        began_s = perf_counter()
        query = Query.parse(params, call.settings(name), Where.FACET_SEARCH, call.grant.over)
        answer = view.index.facet_search(facet, query.facet_query, query, view.own.synonyms)
        took_ms = int((perf_counter() - began_s) * 1000)
        return {**answer.to_json(), "processingTimeMS": took_ms}

    return await call.turns.long(call.tenant.line, values)
