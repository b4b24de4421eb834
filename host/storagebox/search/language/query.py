"""A search as it is meant: parameters, JSON or URL-encoded, over an index's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, cast
from urllib.parse import parse_qsl

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
from storagebox.search.language.parameters import Where, allowed
from storagebox.search.language.settings import Settings, Shared

# These become `Query.filters` and `Query.optional`; the rest are fields under their own names.
_FILTERS = frozenset(
    {"filters", "facetFilters", "numericFilters", "tagFilters", "optionalFilters"}
)
_ALLOWED = {where: allowed(where) for where in (Where.SEARCH, Where.BROWSE, Where.DELETE_BY)}
_FIELDS = {name: each for name, each in _ALLOWED[Where.SEARCH].items() if name not in _FILTERS}
_INITIAL = {each.field: each.initial for each in _FIELDS.values() if each.name != "params"}
_SHARED = tuple(each.name for each in fields(Shared))


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Shared):
    """One search: every parameter at its value for this request, see parameters.PARAMETERS.

    `filters` is all of filters, facetFilters, numericFilters and tagFilters, ANDed; `optional` the
    optionalFilters and what bears a score in filters. `given` is the JSON of what the request
    itself said, `settings` what it was laid over.
    """

    settings: Settings
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

    @classmethod
    def parse(
        cls, params: Mapping[str, object], settings: Settings, where: Where = Where.SEARCH
    ) -> Query:
        """What a request asks; raises LanguageError that names the wrong parameter.

        `where` is SEARCH, BROWSE or DELETE_BY and decides which parameters there are.
        """
        given = flattened(params, where)
        values: dict[str, Any] = dict(_INITIAL)
        values.update((name, getattr(settings, name)) for name in _SHARED)
        for name, value in given.items():
            if name not in _FILTERS:
                parameter = _ALLOWED[where][name]
                values[parameter.field] = parameter.kind.check(name, value)
        filters, optional = _filters(given)
        _apply_modes(values)
        return cls(**values, settings=settings, given=given, filters=filters, optional=optional)

    @property
    def first(self) -> int:
        """How many hits come before the ones asked for."""
        if self.offset is not None or self.length is not None:
            return self.offset or 0
        return self.page * self.hits_per_page

    @property
    def count(self) -> int:
        """How many hits are asked for."""
        return self.hits_per_page if self.length is None else self.length


def flattened(params: Mapping[str, object], where: Where) -> dict[str, object]:
    """The parameters of a request, those of its `params` string among them; nulls are dropped.

    A parameter beside the string wins over the same one in it.
    """
    encoded = params.get("params")
    if encoded is not None and not isinstance(encoded, str):
        raise LanguageError('Invalid value for "params" parameter, expected a string')
    beside = {name: value for name, value in params.items() if name != "params"}
    merged = {**decoded(encoded or "", where), **beside}
    for name in merged:
        if name not in _ALLOWED[where]:
            raise LanguageError(f"Unknown parameter: {name}")
    return {name: value for name, value in merged.items() if value is not None}


def decoded(encoded: str, where: Where) -> dict[str, object]:
    """The JSON values that a URL-encoded string of parameters stands for."""
    found: dict[str, object] = {}
    for name, text in parse_qsl(encoded, keep_blank_values=True):
        parameter = _ALLOWED[where].get(name)
        found[name] = text if parameter is None else parameter.kind.from_text(text)
    return found


def _filters(given: Mapping[str, object]) -> tuple[Node | None, Groups]:
    text = given.get("filters", "")
    if not isinstance(text, str):
        raise LanguageError('Invalid value for "filters" parameter, expected a string')
    parsed = parse_filters(text)
    node = conjunction(
        (
            parsed.node,
            parse_facet_filters(given.get("facetFilters", ())),
            parse_numeric_filters(given.get("numericFilters", ())),
            parse_tag_filters(given.get("tagFilters", ())),
        )
    )
    return node, parsed.scored + parse_optional_filters(given.get("optionalFilters", ()))


def _apply_modes(values: dict[str, Any]) -> None:
    """Let the parameters that stand for several others have their say."""
    if values["mode"] == "neuralSearch":
        raise LanguageError("mode: neuralSearch is not enabled here: use keywordSearch", 402)
    natural = values["natural_languages"]
    if natural:
        values["remove_stop_words"] = values["ignore_plurals"] = natural
        values["remove_words_if_no_results"] = "allOptional"
        values["rule_contexts"] = (*values["rule_contexts"], "natural_language")
    if values["similar_query"]:
        values["query"] = values["similar_query"]
        values["query_type"] = "prefixNone"
        values["remove_stop_words"] = values["remove_stop_words"] or True
        values["optional_words"] = (values["similar_query"],)
        values["ranking"] = _first("words", values["ranking"])
    if values["typo_tolerance"] == "strict":
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
