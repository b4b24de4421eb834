"""What answers which request, and what a key needs for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from starlette.routing import Route

from storagebox.search.server.endpoint import (
    App,
    Endpoint,
    Handler,
    Receive,
    Scope,
    Send,
    Service,
    refuse,
)
from storagebox.search.server.grants import ADMIN
from storagebox.search.server.recent import BUILD, QUERY
from storagebox.search.server.resources import (
    batches,
    browsing,
    dictionaries,
    facet_values,
    indices,
    keys,
    logs,
    objects,
    rules,
    searching,
    settings,
    sources,
    synonyms,
    tasks,
)

_INDEXES: Final = "/1/indexes"
_INDEX: Final = "/1/indexes/{index}"
_SYNONYMS: Final = "/1/indexes/{index}/synonyms"
_RULES: Final = "/1/indexes/{index}/rules"
_KEYS: Final = "/1/keys"
_DICTIONARY: Final = "/1/dictionaries/{dictionary}"

# A search's body: fifty queries of the longest filters fit.
SMALL_BYTES: Final = 4 << 20
# Algolia takes 100 MB in a batch; its clients' are a thousand records.
LARGE_BYTES: Final = 100 << 20


class Rule(NamedTuple):
    """`acl` "" is for any valid key; such a handler sees to it itself."""

    method: str
    path: str
    handler: Handler
    acl: str
    kind: str = QUERY
    limit: int = SMALL_BYTES


# The first path that fits counts: what is asked most comes first, and `*` before names.
RULES: Final = (
    Rule("POST", _INDEXES + "/*/queries", searching.queries, "search"),
    Rule("POST", _INDEX + "/query", searching.query, "search"),
    Rule("GET", _INDEX + "/query", searching.query_in_address, "search"),
    Rule("POST", _INDEXES + "/*/objects", objects.get_many, "search"),
    Rule("POST", _INDEXES + "/*/batch", batches.multiple, "", BUILD, LARGE_BYTES),
    Rule("POST", _INDEX + "/facets/{facet}/query", facet_values.search, "search"),
    Rule("POST", _INDEX + "/browse", browsing.browse, "browse"),
    Rule("GET", _INDEX + "/browse", browsing.browse_in_address, "browse"),
    Rule("POST", _INDEX + "/batch", batches.batch, "", BUILD, LARGE_BYTES),
    Rule("POST", _INDEX + "/clear", indices.clear, "deleteIndex", BUILD),
    Rule("POST", _INDEX + "/deleteByQuery", batches.delete_by, "deleteIndex", BUILD),
    Rule("POST", _INDEX + "/operation", indices.copy_or_move, "addObject", BUILD),
    Rule("GET", _INDEX + "/settings", settings.get, "settings"),
    Rule("PUT", _INDEX + "/settings", settings.set_, "editSettings", BUILD),
    Rule("GET", _INDEX + "/task/{task}", tasks.of_index, ""),
    Rule("GET", "/1/task/{task}", tasks.of_application, ""),
    Rule("POST", _SYNONYMS + "/batch", synonyms.save_many, "editSettings", BUILD, LARGE_BYTES),
    Rule("POST", _SYNONYMS + "/search", synonyms.search, "settings"),
    Rule("POST", _SYNONYMS + "/clear", synonyms.clear, "editSettings", BUILD),
    Rule("GET", _SYNONYMS + "/{id}", synonyms.get, "settings"),
    Rule("PUT", _SYNONYMS + "/{id}", synonyms.save, "editSettings", BUILD),
    Rule("DELETE", _SYNONYMS + "/{id}", synonyms.delete, "editSettings", BUILD),
    Rule("POST", _RULES + "/batch", rules.save_many, "editSettings", BUILD, LARGE_BYTES),
    Rule("POST", _RULES + "/search", rules.search, "settings"),
    Rule("POST", _RULES + "/clear", rules.clear, "editSettings", BUILD),
    Rule("GET", _RULES + "/{id}", rules.get, "settings"),
    Rule("PUT", _RULES + "/{id}", rules.save, "editSettings", BUILD),
    Rule("DELETE", _RULES + "/{id}", rules.delete, "editSettings", BUILD),
    Rule("GET", _INDEXES, indices.listed, "listIndexes"),
    Rule("GET", _INDEX, searching.query_in_address, "search"),
    Rule("POST", _INDEX, objects.add, "addObject", BUILD),
    Rule("DELETE", _INDEX, indices.delete, "deleteIndex", BUILD),
    Rule("POST", _INDEX + "/{id}/partial", objects.update, "addObject", BUILD),
    Rule("GET", _INDEX + "/{id}", objects.get, "search"),
    Rule("PUT", _INDEX + "/{id}", objects.put, "addObject", BUILD),
    Rule("DELETE", _INDEX + "/{id}", objects.delete, "deleteObject", BUILD),
    Rule("GET", _KEYS, keys.listed, ADMIN),
    Rule("POST", _KEYS, keys.add, ADMIN, BUILD),
    Rule("GET", _KEYS + "/{key}", keys.get, ""),
    Rule("PUT", _KEYS + "/{key}", keys.update, ADMIN, BUILD),
    Rule("DELETE", _KEYS + "/{key}", keys.delete, ADMIN, BUILD),
    Rule("POST", _KEYS + "/{key}/restore", keys.restore, ADMIN, BUILD),
    Rule("GET", "/1/logs", logs.latest, "logs"),
    Rule("GET", "/1/dictionaries/*/settings", dictionaries.settings, "settings"),
    Rule("PUT", "/1/dictionaries/*/settings", dictionaries.set_settings, "editSettings", BUILD),
    Rule("GET", "/1/dictionaries/*/languages", dictionaries.languages, "settings"),
    Rule("POST", _DICTIONARY + "/batch", dictionaries.batch, "editSettings", BUILD, LARGE_BYTES),
    Rule("POST", _DICTIONARY + "/search", dictionaries.search, "settings"),
    Rule("GET", "/1/security/sources", sources.listed, ADMIN),
    Rule("PUT", "/1/security/sources", sources.refused, ADMIN, BUILD),
    Rule("POST", "/1/security/sources/append", sources.refused, ADMIN, BUILD),
    Rule("DELETE", "/1/security/sources/{source}", sources.refused, ADMIN, BUILD),
)


class ByMethod:
    """The endpoints of one path."""

    def __init__(self) -> None:
        self.endpoints: dict[str, App] = {}
        self._other = refuse("Method not allowed", 405)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self.endpoints.get(scope["method"], self._other)(scope, receive, send)


def routes(service: Service, rules: Iterable[Rule] = RULES) -> list[Route]:
    """All of them, for Starlette."""
    by_path: dict[str, ByMethod] = {}
    for rule in rules:
        endpoint = Endpoint(service, rule.handler, rule.acl, rule.kind, rule.limit)
        by_path.setdefault(rule.path, ByMethod()).endpoints[rule.method] = endpoint
    return [Route(path, endpoint) for path, endpoint in by_path.items()]
