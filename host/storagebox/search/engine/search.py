"""One search, from its text to its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine import distinct, facets, relevant
from storagebox.search.engine.answer import Answer, Hit
from storagebox.search.engine.budget import Budget
from storagebox.search.engine.candidates import Spread
from storagebox.search.engine.closeness import NOWHERE
from storagebox.search.engine.geo import NOWHERE as FAR_AWAY
from storagebox.search.engine.geo import precision_at
from storagebox.search.engine.highlight import Marker
from storagebox.search.engine.layout import COMPOUND
from storagebox.search.engine.matching import Matches, match
from storagebox.search.engine.ordering import best, explained
from storagebox.search.engine.phrases import Spoken, spoken
from storagebox.search.engine.promotion import promote
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.shape import Show, mirrored
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.snippet import snipped
from storagebox.search.engine.synonyms import Synonyms
from storagebox.search.engine.tiebreak import Ranked
from storagebox.search.language.query import Query

Fetch = Callable[[Sequence[int]], list[Mapping[str, Any]]]
"""Gets records by their numbers in the store, in the same order."""


def words_of(snapshot: Snapshot, query: Query) -> Spoken:
    """The words of a query's text."""
    tokenizer = snapshot.layout.tokenizer
    if query.advanced_syntax:
        return spoken(query.parts, tokenizer)
    return Spoken(tuple(tokenizer.words(query.query)))


def search(
    snapshot: Snapshot,
    query: Query,
    fetch: Fetch,
    budget_ms: float | None = None,
    synonyms: Synonyms | None = None,
) -> Answer:
    """The answer to a query; approximate, and saying so, if it takes more than the budget.

    `synonyms` are others than the index's own, a virtual replica's.
    """
    budget = Budget(budget_ms)
    matches = match(snapshot, query, words_of(snapshot, query), budget, synonyms)
    shown, order = matches, query
    if query.settings.is_virtual:
        shown, order = relevant.chosen(snapshot, query, matches, budget)
    page = _page(snapshot, order, shown, budget)
    heads = page.heads
    if page.grouped_by and shown is not matches:
        heads = distinct.heads(snapshot, page.grouped_by, matches.rows)
    found = matches.count if heads is None else len(heads)
    counted = _counted(snapshot, query, matches, heads)
    counts = {name: facets.counts(snapshot, name, rows) for name, rows in counted.items()}
    return Answer(
        hits=_hits(snapshot, order, shown, page.ranked, fetch, page.sequence),
        nb_hits=found + page.ranked.added,
        sorted_hits=page.shown + page.ranked.added if query.settings.is_virtual else None,
        exhaustive_hits=not (budget.cut or budget.typos_cut),
        exhaustive_typo=None if query.typo_tolerance == "false" else not budget.typos_cut,
        exhaustive_facets=not (budget.cut or budget.typos_cut),
        all_values=all(map(partial(_has_room, query), counts.values())),
        facets=_facets(snapshot, query, counts) if query.facets else None,
        facets_stats=_stats(snapshot, counted) if query.facets else None,
        query_after_removal=_after_removal(snapshot, query, matches),
        automatic_radius=matches.radius,
        parsed_query=" ".join(matches.spoken.words),
    )


@dataclass(frozen=True, slots=True)
class _Page:
    """The rows of one page, of `shown` rows or groups that match.

    Where they are `grouped_by` an attribute, `sequence` numbers each row in its group, and `heads`
    has one row of every group.
    """

    ranked: Ranked
    shown: int
    grouped_by: str = ""
    sequence: Rows | None = None
    heads: Rows | None = None


def _page(snapshot: Snapshot, query: Query, matches: Matches, budget: Budget) -> _Page:
    first = query.first
    end = max(first, min(first + query.count, query.settings.pagination_limited_to))
    attribute = query.settings.attribute_for_distinct
    # Settings may be newer than the tables: nothing is known then.
    if query.distinct and attribute in snapshot.layout.facets:
        grouped = distinct.grouped(snapshot, query, matches, attribute, first, end, budget)
        heads = grouped.heads
        return _Page(grouped.ranked, len(heads), attribute, grouped.sequence, heads)
    ranked = promote(snapshot, query, matches, best(snapshot, query, matches, end, budget))
    return _Page(ranked.part(first, end), matches.count)


def _counted(
    snapshot: Snapshot, query: Query, matches: Matches, heads: Rows | None
) -> dict[str, Rows | Spread]:
    """The facets to be counted, and in which rows: all that match, or one of each group."""
    after_distinct = {
        each.name for each in query.settings.attributes_for_faceting if each.after_distinct
    }
    return {
        name: heads
        if heads is not None and (query.faceting_after_distinct or name in after_distinct)
        else matches.spread or matches.rows
        for name in facets.counted(snapshot, query.facets)
    }


def _has_room(query: Query, counts: NDArray[np.int64]) -> bool:
    """Whether all values of a facet that occur are told."""
    return int(np.count_nonzero(counts)) <= query.max_values_per_facet


def _facets(
    snapshot: Snapshot, query: Query, counts: Mapping[str, NDArray[np.int64]]
) -> dict[str, dict[str, int]]:
    most, order = query.max_values_per_facet, query.sort_facet_values_by
    found = {
        name: facets.listed(snapshot, name, each, most, order) for name, each in counts.items()
    }
    return {name: values for name, values in found.items() if values}


def _stats(
    snapshot: Snapshot, counted: Mapping[str, Rows | Spread]
) -> dict[str, Mapping[str, float]]:
    found = ((name, facets.stats(snapshot, name, rows)) for name, rows in counted.items())
    return {name: stats for name, stats in found if stats is not None}


def _after_removal(snapshot: Snapshot, query: Query, matches: Matches) -> str | None:
    """The query with what was taken away from it between <em> and </em>."""
    if not matches.removed:
        return None
    text = query.query
    words = matches.spoken.words
    parts: list[str] = []
    at = number = 0
    for token in snapshot.layout.tokenizer.tokens(text):
        if words[number : number + 1] != (token.word,):
            continue  # one that advanced syntax excludes
        number += 1
        if number - 1 in matches.removed:
            parts += (text[at : token.start], "<em>", text[token.start : token.end], "</em>")
            at = token.end
    return "".join((*parts, text[at:]))


def _hits(
    snapshot: Snapshot,
    query: Query,
    matches: Matches,
    ranked: Ranked,
    fetch: Fetch,
    sequence: Any,
) -> list[Hit]:
    settings = query.settings
    names = query.attributes_to_highlight
    if names is None:
        names = tuple(each.name for each in settings.searchable_attributes) or ("*",)
    marker = Marker(
        snapshot.layout.tokenizer,
        matches.words,
        matches.spoken.words,
        query.highlight_pre_tag,
        query.highlight_post_tag,
        _words_that_match(snapshot, query, matches, ranked.rows),
        # As Algolia documents it.
        exact_only=query.exact_on_single_word_query == "word" and len(matches.spoken.words) == 1,
    )
    highlighted = [(name, marker.marked) for name in names]
    snippets = [
        (each.name, _snippet(marker, each.words, query.snippet_ellipsis_text))
        for each in query.attributes_to_snippet
    ]
    only_matching = query.restrict_highlight_and_snippet_arrays
    hidden = settings.unretrievable_attributes
    if query.get_ranking_info:
        ranked = explained(snapshot, query, matches, ranked)
    records = fetch(snapshot.numbers(ranked.rows).tolist())
    hits: list[Hit] = []
    for at, record in enumerate(records):
        hits.append(
            Hit(
                object_id=str(record["objectID"]),
                record=record,
                ranking_info=(
                    _info(snapshot, query, matches, ranked, at) if query.get_ranking_info else None
                ),
                highlight=(
                    mirrored(record, highlighted, only_matching=only_matching, hidden=hidden)
                    if highlighted
                    else None
                ),
                snippet=(
                    mirrored(record, snippets, only_matching=only_matching, hidden=hidden)
                    if snippets
                    else None
                ),
                distinct_seq=None if sequence is None else int(sequence[at]),
            )
        )
    return hits


def _words_that_match(
    snapshot: Snapshot, query: Query, matches: Matches, rows: Rows
) -> frozenset[str] | None:
    """Of the words in some rows' records those that match; None if records have further ones."""
    searched = {each.name for each in query.settings.searchable_attributes}
    shown = {
        *(query.attributes_to_highlight or ()),
        *(s.name for s in query.attributes_to_snippet),
    }
    if searched and not shown <= searched:
        return None
    _, ids, _ = snapshot.tokens(np.sort(rows))
    found: set[int] = set()
    for slot in {id(slot): slot for each in matches.matched for slot in each.slots}.values():
        found.update(ids[slot.table[ids] != 0].tolist())
    return frozenset(snapshot.word(each).removeprefix(COMPOUND) for each in found)


def _snippet(marker: Marker, words: int, ellipsis: str) -> Show:
    return lambda text: snipped(marker, text, words, ellipsis)


def _info(
    snapshot: Snapshot, query: Query, matches: Matches, ranked: Ranked, at: int
) -> dict[str, Any]:
    def value(name: str) -> int:
        column = ranked.criteria.get(name)
        return 0 if column is None else int(column[at])

    row = int(ranked.rows[at])
    attribute = value("attribute")
    info: dict[str, Any] = {
        "nbTypos": value("typo"),
        "firstMatchedWord": 0 if attribute == NOWHERE else attribute,
        "proximityDistance": value("proximity"),
        # Where the record stands when nothing but the index's own ranking counts, from the end.
        "userScore": snapshot.row_count - row,
        "geoDistance": 0,
        "geoPrecision": 1,
        "nbExactWords": -value("exact"),
        "words": -value("words"),
        "filters": -value("filters"),
        "promoted": bool(ranked.promoted and row in ranked.promoted),
    }
    around = matches.around
    if around is not None:
        place = int(np.searchsorted(around.rows, row))
        if place < len(around.rows) and around.rows[place] == row:
            metres = int(around.metres[place])
            if metres < FAR_AWAY:
                lat, lng = around.degrees[place].tolist()
                precision = precision_at(metres, query.around_precision)
                info["geoPrecision"] = precision
                info["geoDistance"] = metres // precision
                info["matchedGeoLocation"] = {"lat": lat, "lng": lng, "distance": metres}
    return info
