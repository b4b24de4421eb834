"""A search as it is meant: parameters, JSON or URL-encoded, over an index's settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

import orjson

from storagebox.search.language import compounds, words
from storagebox.search.language.attributes import Criterion, Sort
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filter_lists import (
    parse_facet_filters,
    parse_numeric_filters,
    parse_optional_filters,
    parse_tag_filters,
)
from storagebox.search.language.filters import Groups, Node, conjunction, parse_filters
from storagebox.search.language.geo import Box, Point, Polygon, Radius, Step
from storagebox.search.language.kinds import MAX_INTEGER
from storagebox.search.language.parameters import Where, allowed
from storagebox.search.language.query_text import Part, parse_query_text
from storagebox.search.language.settings import Settings, Shared

# These become `Query.filters` and `Query.optional`; the rest are fields under their own names.
FILTERS = frozenset({"filters", "facetFilters", "numericFilters", "tagFilters", "optionalFilters"})
# Given on several layers, these add up; of others the topmost counts.
_ADDED = FILTERS | {"analyticsTags", "ruleContexts"}
_PLACES = (Where.SEARCH, Where.BROWSE, Where.DELETE_BY, Where.FACET_SEARCH)
_ALLOWED = {where: allowed(where) for where in _PLACES}
# A search for facet values takes a search's parameters too: the search whose values are asked for.
_ALLOWED[Where.FACET_SEARCH].update(_ALLOWED[Where.SEARCH])
_INITIAL = {
    each.field: each.initial
    for name, each in _ALLOWED[Where.SEARCH].items()
    if name not in FILTERS and name != "params"
}
_SHARED = tuple(each.name for each in fields(Shared))

MAX_ENCODED = 1000

# What a browse has no use for: Algolia turns it off whatever is asked.
_OFF_IN_BROWSE: dict[str, object] = {
    "advanced_syntax": False,
    "attributes_to_highlight": (),
    "attributes_to_snippet": (),
    "distinct": 0,
    "enable_rules": False,
    "facets": (),
    "get_ranking_info": False,
    "ignore_plurals": False,
}


@dataclass(frozen=True, slots=True)
class Promoted:
    """A record that a rule puts at `position` (0 is the first), if `filtered` only where it is
    found by the query's filters."""

    object_id: str
    position: int
    filtered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Shared):
    """One search: every parameter at its value for this request, see parameters.PARAMETERS.

    `filters` is all of filters, facetFilters, numericFilters and tagFilters, ANDed; `optional` the
    optionalFilters and the ORs in filters whose parts bear different scores. `given` is the JSON
    that was said, out of `layers`, and `settings` what it was laid over. The last five fields are
    what rules did.
    """

    settings: Settings
    where: Where
    layers: tuple[Mapping[str, object], ...]
    given: Mapping[str, object]
    filters: Node | None
    optional: Groups
    query: str
    similar_query: str
    restrict_searchable_attributes: tuple[str, ...]
    sum_or_filters_scores: bool
    facets: tuple[str, ...]
    faceting_after_distinct: bool
    page: int
    offset: int | None
    length: int | None
    get_ranking_info: bool
    natural_languages: tuple[str, ...]
    around_lat_lng: Point | None
    around_lat_lng_via_ip: bool
    around_radius: Radius
    around_precision: int | tuple[Step, ...]
    minimum_around_radius: int | None
    inside_bounding_box: tuple[Box, ...]
    inside_polygon: tuple[Polygon, ...]
    rule_contexts: tuple[str, ...]
    synonyms: bool
    user_token: str
    click_analytics: bool
    analytics: bool
    analytics_tags: tuple[str, ...]
    percentile_computation: bool
    enable_ab_test: bool
    personalization_impact: int
    cursor: str = ""
    facet_query: str = ""
    max_facet_hits: int = 0
    promoted: tuple[Promoted, ...] = ()
    hidden: frozenset[str] = frozenset()
    user_data: tuple[object, ...] = ()
    applied_rules: tuple[str, ...] = ()
    query_before_rules: str = ""

    @classmethod
    def parse(
        cls,
        params: Mapping[str, object],
        settings: Settings,
        where: Where = Where.SEARCH,
        over: Sequence[Mapping[str, object]] = (),
    ) -> Query:
        """What a request asks; raises LanguageError that names the wrong parameter.

        `where` is SEARCH, BROWSE, DELETE_BY or FACET_SEARCH and decides which parameters there
        are. `over` are parameters laid over the request's, the last one topmost: what rules and
        keys add. Filters of all layers have to hold; of other parameters the topmost counts.
        """
        request = flattened(params, where)
        if where is Where.DELETE_BY and not any(request.values()):
            raise LanguageError("deleteBy takes filters, and there are none: clear deletes all")
        layers = (request, *(flattened(each, Where.SEARCH) for each in over))
        return cls._laid(layers, settings, where)

    def with_beneath(self, layers: Sequence[Mapping[str, object]]) -> Query:
        """This query with parameters laid right over the request's, beneath all others."""
        request, *over = self.layers
        between = (flattened(each, Where.SEARCH) for each in layers)
        return self._laid((request, *between, *over), self.settings, self.where)

    @classmethod
    def _laid(
        cls, layers: tuple[Mapping[str, object], ...], settings: Settings, where: Where
    ) -> Query:
        given = _merged(layers)
        values: dict[str, Any] = dict(_INITIAL)
        values.update((name, getattr(settings, name)) for name in _SHARED)
        if where is Where.FACET_SEARCH:
            values["max_facet_hits"] = settings.max_facet_hits
        known = _ALLOWED[where]
        for name, value in given.items():
            if name not in FILTERS:
                parameter = known.get(name) or _ALLOWED[Where.SEARCH][name]
                values[parameter.field] = parameter.kind.check(name, value)
        _apply_modes(values, given)
        filters, optional = _filters(layers, sum_or=values["sum_or_filters_scores"])
        if where is Where.BROWSE:
            values.update(_OFF_IN_BROWSE)
            optional = ()
        return cls(
            **values,
            settings=settings,
            where=where,
            layers=layers,
            given=given,
            filters=filters,
            optional=optional,
            query_before_rules=values["query"],
        )

    @property
    def first(self) -> int:
        """How many hits come before the ones asked for."""
        if self.offset is not None or self.length is not None:
            return self.offset or 0
        return min(self.page * self.hits_per_page, MAX_INTEGER)

    @property
    def count(self) -> int:
        """How many hits are asked for."""
        return self.hits_per_page if self.length is None else self.length

    @property
    def parts(self) -> tuple[Part, ...]:
        """The words, phrases and exclusions of `query`, as far as advanced syntax is on."""
        return parse_query_text(
            self.query, self.advanced_syntax_features if self.advanced_syntax else ()
        )

    @property
    def stop_word_languages(self) -> tuple[str, ...]:
        """The languages whose stop words don't count; none if that is off."""
        return words.chosen(
            self.remove_stop_words,
            self.query_languages,
            self.settings.dictionaries.stop_word_languages,
        )

    @property
    def plural_languages(self) -> tuple[str, ...]:
        """The languages in which singular and plural are alike; none if that is off."""
        known = self.settings.dictionaries.plural_languages
        return words.chosen(self.ignore_plurals, self.query_languages, known)

    @property
    def compound_languages(self) -> tuple[str, ...]:
        """The languages whose compounds are taken apart in the query; none if that is off."""
        if not self.decompound_query:
            return ()
        return tuple(each for each in self.query_languages if each in compounds.LANGUAGES)

    def encoded(self) -> str:
        """The parameters as a URL-encoded string, as an answer's `params` repeats them."""
        return urlencode({name: _text_of(value) for name, value in self.given.items()})


def flattened(params: Mapping[str, object], where: Where) -> dict[str, object]:
    """The parameters of a request, those of its `params` string among them; nulls are dropped.

    A parameter beside the string wins over the same one in it.
    """
    encoded = params.get("params")
    if encoded is not None and not isinstance(encoded, str):
        raise LanguageError('Invalid value for "params" parameter, expected a string')
    beside = {name: value for name, value in params.items() if name != "params"}
    merged = {**decoded(encoded, where), **beside} if encoded else beside
    known = _ALLOWED[where]
    for name in merged:
        if name not in known or name == "params":  # which can't hold itself
            raise LanguageError(f"Unknown parameter: {name}")
    return {name: value for name, value in merged.items() if value is not None}


def decoded(encoded: str, where: Where = Where.SEARCH) -> dict[str, object]:
    """The JSON values that a URL-encoded string of parameters stands for."""
    found: dict[str, object] = {}
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=MAX_ENCODED)
    except ValueError:
        raise LanguageError(f"params: more than {MAX_ENCODED} parameters") from None
    for name, text in pairs:
        parameter = _ALLOWED[where].get(name)
        found[name] = text if parameter is None else parameter.kind.from_text(text)
    return found


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _merged(layers: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """One set of parameters out of layers. Filters are only merged for show: see `_filters`."""
    merged = dict(layers[0])
    for layer in layers[1:]:
        for name, value in layer.items():
            below = merged.get(name)
            if name in _ADDED and below is not None and name != "filters":
                merged[name] = [*_as_list(below), *_as_list(value)]
            elif name == "filters" and below:
                merged[name] = f"({below}) AND ({value})"
            else:
                merged[name] = value
    return merged


def _as_list(value: object) -> list[object]:
    if isinstance(value, str):
        return [each.strip() for each in value.split(",")]
    return [*cast("Sequence[object]", value)] if isinstance(value, list | tuple) else [value]


def _filters(
    layers: Sequence[Mapping[str, object]], *, sum_or: bool
) -> tuple[Node | None, Groups]:
    """All filters of all layers, each read by itself: what one says can't open up another."""
    nodes: list[Node | None] = []
    groups: Groups = ()
    for given in layers:
        if FILTERS.isdisjoint(given):
            continue
        text = given.get("filters", "")
        if not isinstance(text, str):
            raise LanguageError('Invalid value for "filters" parameter, expected a string')
        plain = parse_filters(text)
        facets = parse_facet_filters(given.get("facetFilters", ()))
        nodes += (
            plain.node,
            facets.node,
            parse_numeric_filters(given.get("numericFilters", ())),
            parse_tag_filters(given.get("tagFilters", ())),
        )
        groups += plain.telling(sum_or=sum_or) + facets.telling(sum_or=sum_or)
        groups += parse_optional_filters(given.get("optionalFilters", ()))
    return conjunction(nodes), groups


def _apply_modes(values: dict[str, Any], given: Mapping[str, object]) -> None:
    """Let the parameters that stand for several others have their say."""
    natural = values["natural_languages"]
    if natural:
        # What the request says itself, it means.
        if "removeStopWords" not in given:
            values["remove_stop_words"] = natural
        if "ignorePlurals" not in given:
            values["ignore_plurals"] = natural
        if "removeWordsIfNoResults" not in given:
            values["remove_words_if_no_results"] = "allOptional"
        values["rule_contexts"] = (*values["rule_contexts"], "natural_language")
        values["analytics_tags"] = (*values["analytics_tags"], "natural_language")
    if values["similar_query"]:
        values["query"] = values["similar_query"]
        values["query_type"] = "prefixNone"
        values["remove_stop_words"] = values["remove_stop_words"] or True
        values["optional_words"] = (values["similar_query"],)
        values["ranking"] = _first("words", values["ranking"])
    if values["typo_tolerance"] in ("min", "strict"):
        values["ranking"] = _first("typo", values["ranking"])
    # A box beats a polygon, which beats a circle.
    if values["inside_bounding_box"]:
        values["inside_polygon"] = ()
    if values["inside_bounding_box"] or values["inside_polygon"]:
        values["around_lat_lng"] = None


def _first(
    criterion: Criterion, ranking: tuple[Criterion | Sort, ...]
) -> tuple[Criterion | Sort, ...]:
    """`ranking` with a criterion at its head."""
    rest = tuple(each for each in ranking if each != criterion)
    return cast("tuple[Criterion | Sort, ...]", (criterion, *rest))
