"""Searches: one, or several in one request."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from time import perf_counter, thread_time
from typing import Any, Final

import orjson

from storagebox.search.language.parameters import Where
from storagebox.search.language.query import Query
from storagebox.search.server.call import Call
from storagebox.search.server.resources import facet_values
from storagebox.search.writes.refused import Refused

_MAX_QUERIES: Final = 50
# What stands beside the parameters of one of several searches.
_BESIDE: Final = frozenset({"indexName", "type", "extensions"})
# A search that took longer of late is done in a thread: others' requests don't wait for it then.
# That costs a third more in all, as the event loop and the thread take the interpreter from each
# other. Counted is the processor's time, which doesn't grow by that.
_LONG_S: Final = 0.010
_SMOOTHED: Final = 0.9
# Beyond it, a search tells of what it has found so far, as Algolia's do.
_BUDGET_MS: Final = 50.0
# Of all answers to one request. A single search's are bounded by its records.
_MAX_BYTES: Final = 128 << 20


async def query(call: Call) -> Any:
    """POST …/query."""
    fields = call.fields(optional=True)
    fields.pop("apiKey", None)
    return await search(call, call.index, fields)


async def query_in_address(call: Call) -> Any:
    """GET …/query and GET …: parameters in the address."""
    return await search(call, call.index, {"params": _encoded(call)})


async def queries(call: Call) -> Any:
    """POST /1/indexes/*/queries."""
    fields = call.fields()
    requests, strategy = fields.get("requests"), fields.get("strategy") or "none"
    if not isinstance(requests, list):
        raise Refused("requests: expected a list of searches")
    if len(requests) > _MAX_QUERIES:
        raise Refused(f"requests: {len(requests)} in one request are over {_MAX_QUERIES}")
    if strategy not in ("none", "stopIfEnoughMatches"):
        raise Refused("strategy: expected none or stopIfEnoughMatches")
    call.queries = len(requests)
    answers = _Answers()
    enough = False
    for position, request in enumerate(requests):
        if not isinstance(request, dict) or not isinstance(request.get("indexName"), str):
            raise Refused(f"requests: number {position} has no indexName")
        name = request["indexName"]
        params = {key: value for key, value in request.items() if key not in _BESIDE}
        if request.get("type") == "facet":
            facet = params.pop("facet", None)
            if not isinstance(facet, str):
                raise Refused(f"requests: number {position} is of type facet and names no facet")
            answers.add(await facet_values.found(call, name, facet, params))
            continue
        params.pop("facet", None)
        if enough:
            answers.add(_unprocessed(call, name, params))
            continue
        result = await search(call, name, params)
        answers.add(result)
        if strategy == "stopIfEnoughMatches":
            enough = len(result.get("hits", ())) >= result.get("hitsPerPage", 1)
    return {"results": answers.results}


class _Answers:
    """Answers as JSON: what takes too much together is refused before it takes more."""

    def __init__(self) -> None:
        self.results: list[orjson.Fragment] = []
        self._bytes = 0

    def add(self, answer: Mapping[str, Any]) -> None:
        """Take one more. Raises Refused."""
        data = orjson.dumps(answer)
        self.results.append(orjson.Fragment(data))
        self._bytes += len(data)
        if self._bytes > _MAX_BYTES:
            raise Refused(
                f"requests: the answers to the first {len(self.results)} take more than"
                f" {_MAX_BYTES >> 20} MB: ask for fewer hits at once"
            )


async def search(call: Call, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """One search of an index, as its answer."""
    view = call.view(name)
    tenant = call.tenant

    def found() -> dict[str, Any]:
        began_s, worked_s = perf_counter(), thread_time()
        query = parsed(call, name, params)
        if query.enable_rules and (ruling := tenant.ruling(name, view, query.settings)):
            query = call.grant.limited(ruling.applied(query, call.now_s))
        answer = view.index.search(query, budget_ms=_BUDGET_MS, synonyms=view.own.synonyms)
        body = answer.to_json(query)
        took_s, worked_s = perf_counter() - began_s, thread_time() - worked_s
        known = tenant.worked_s.get(name)
        tenant.worked_s.put(
            name, worked_s if known is None else known * _SMOOTHED + worked_s * (1 - _SMOOTHED)
        )
        call.hits = (call.hits or 0) + answer.nb_hits
        return _told(body, call, name, query, took_s)

    worked_s = tenant.worked_s.get(name)
    if worked_s is not None and worked_s < _LONG_S:
        return await call.turns.short(tenant.line, found)
    return await call.turns.long(tenant.line, found)


def parsed(call: Call, name: str, params: Mapping[str, Any], where: Where = Where.SEARCH) -> Query:
    """What a request asks of an index, and what its key adds. Raises LanguageError."""
    query = Query.parse(params, call.settings(name), where, call.grant.over)
    return call.grant.limited(query)


def _told(
    body: dict[str, Any], call: Call, name: str, query: Query, took_s: float
) -> dict[str, Any]:
    """An answer with what only who was asked knows."""
    wanted = query.response_fields
    beside: dict[str, Any] = {
        "index": name,
        "params": query.encoded(),
        "processingTimeMS": int(took_s * 1000),
        "serverTimeMS": int((perf_counter() - call.began_s) * 1000),
    }
    if query.click_analytics:
        beside["queryID"] = secrets.token_hex(16)
    if query.rendering_content:
        beside["renderingContent"] = query.rendering_content
    for field, value in beside.items():
        if "*" in wanted or field in wanted:
            body[field] = value
    return body


def _unprocessed(call: Call, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """In place of a search that wasn't done, since one before found enough."""
    call.view(name)
    query = parsed(call, name, params)
    return {
        "hits": [],
        "nbHits": 0,
        "page": query.page,
        "nbPages": 0,
        "hitsPerPage": query.hits_per_page,
        "processed": False,
        "exhaustiveNbHits": False,
        "query": query.query,
        "params": query.encoded(),
        "index": name,
        "processingTimeMS": 0,
    }


def _encoded(call: Call) -> str:
    from urllib.parse import urlencode

    return urlencode(call.query)
