"""What a search found, and the one place that gives it the shape of the API's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from storagebox.search.language.query import Query


@dataclass(frozen=True, slots=True)
class Hit:
    """One record that was found, as it is kept; what is shown beside it."""

    object_id: str
    record: Mapping[str, Any]
    ranking_info: Mapping[str, Any] | None = None
    highlight: Mapping[str, Any] | None = None
    snippet: Mapping[str, Any] | None = None
    distinct_seq: int | None = None

    def to_json(self, query: Query) -> dict[str, Any]:
        """The hit with the attributes that are to be retrieved."""
        selection = query.attributes_to_retrieve
        hidden = query.settings.unretrievable_attributes
        if selection.everything and not selection.excluded and not hidden:
            body = dict(self.record)
        else:
            body = {
                name: shown
                for name, value in self.record.items()
                if (shown := _selected(query, name, value)) is not _ABSENT
            }
        body["objectID"] = self.object_id
        if self.highlight is not None:
            body["_highlightResult"] = self.highlight
        if self.snippet is not None:
            body["_snippetResult"] = self.snippet
        if self.ranking_info is not None:
            body["_rankingInfo"] = self.ranking_info
        if self.distinct_seq is not None:
            body["_distinctSeqID"] = self.distinct_seq
        return body


_ABSENT: Any = object()


def _selected(query: Query, path: str, value: Any) -> Any:
    if path in query.settings.unretrievable_attributes:
        return _ABSENT
    selection = query.attributes_to_retrieve
    if isinstance(value, Mapping) and selection.touches(path):
        inner = {
            name: shown
            for name, each in value.items()
            if (shown := _selected(query, f"{path}.{name}", each)) is not _ABSENT
        }
        return inner if inner or not value else _ABSENT
    if isinstance(value, list) and selection.touches(path):
        elements = cast("list[Any]", value)
        if any(isinstance(each, Mapping | list) for each in elements):
            found = (_selected(query, path, each) for each in elements)
            kept = [each for each in found if each is not _ABSENT]
            return kept or _ABSENT
    return value if selection.holds(path) else _ABSENT


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything a search found. `all_values`: no facet has more values than are told.

    sorted_hits: in a virtual replica, how many of `nb_hits` are shown. None elsewhere.
    """

    hits: list[Hit]
    nb_hits: int
    sorted_hits: int | None = None
    exhaustive_hits: bool = True
    exhaustive_typo: bool | None = True
    facets: Mapping[str, Mapping[str, int]] | None = None
    facets_stats: Mapping[str, Mapping[str, float]] | None = None
    exhaustive_facets: bool = True
    all_values: bool = True
    query_after_removal: str | None = None
    automatic_radius: int | None = None
    parsed_query: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_json(self, query: Query) -> dict[str, Any]:
        """The body of the answer; index, params and times are whose who know them."""
        exhaustive: dict[str, bool] = {"nbHits": self.exhaustive_hits}
        if self.exhaustive_typo is not None:
            exhaustive["typo"] = self.exhaustive_typo
        body: dict[str, Any] = {
            "hits": [hit.to_json(query) for hit in self.hits],
            "nbHits": self.nb_hits,
        }
        if query.offset is not None or query.length is not None:
            body["offset"] = query.first
            body["length"] = query.count
        else:
            body["page"] = query.page
            shown = self.nb_hits if self.sorted_hits is None else self.sorted_hits
            shown = min(shown, query.settings.pagination_limited_to)
            body["nbPages"] = -(-shown // query.hits_per_page) if query.hits_per_page else 0
            body["hitsPerPage"] = query.hits_per_page
        if self.sorted_hits is not None:
            body["nbSortedHits"] = self.sorted_hits
            body["appliedRelevancyStrictness"] = query.relevancy_strictness
        if self.facets is not None:
            body["facets"] = self.facets
            exhaustive["facetsCount"] = self.exhaustive_facets
            exhaustive["facetValues"] = self.exhaustive_facets and self.all_values
            body["exhaustiveFacetsCount"] = self.exhaustive_facets
        if self.facets_stats:
            body["facets_stats"] = self.facets_stats
        body["exhaustive"] = exhaustive
        body["exhaustiveNbHits"] = self.exhaustive_hits
        if self.exhaustive_typo is not None:
            body["exhaustiveTypo"] = self.exhaustive_typo
        body["query"] = query.query_before_rules
        if self.query_after_removal is not None:
            body["queryAfterRemoval"] = self.query_after_removal
        if self.automatic_radius is not None:
            body["automaticRadius"] = str(self.automatic_radius)
        if query.get_ranking_info:
            body["parsedQuery"] = self.parsed_query
            if query.applied_rules:
                body["appliedRules"] = [{"objectID": each} for each in query.applied_rules]
        if query.user_data:
            body["userData"] = list(query.user_data)
        body.update(self.extra)
        if query.response_fields != ("*",):
            body = {name: value for name, value in body.items() if name in query.response_fields}
        return body
