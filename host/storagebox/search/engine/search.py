"""One search from its words to its hits; each step is a module's.

meaning     what the words can mean, and which words of the index are typos away
candidates  which rows match each meaning
filtering   which of them the filters let through
tiebreak    the best of them, by the criteria in turn
closeness   the criteria that look at where words stand
highlight   what matched, shown in the record
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine import tiebreak
from storagebox.search.engine.answer import Answer, Hit
from storagebox.search.engine.candidates import Found, find
from storagebox.search.engine.closeness import NOWHERE, Places, closeness
from storagebox.search.engine.filtering import holds
from storagebox.search.engine.highlight import Marker, highlight
from storagebox.search.engine.layout import MAX_ATTRIBUTE, POSITION_BITS
from storagebox.search.engine.meaning import MAX_WORDS, Reading, readings
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.slots import Slot, Wanted
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.tiebreak import Column, Ranked
from storagebox.search.language.filters import Groups
from storagebox.search.language.query import Query

MOST_RANKED: Final = 20_000
"""Rows equal so far of which the places of words are looked at; further ones in custom order."""


@dataclass(frozen=True, slots=True)
class Matches:
    """All rows that match, ascending, and the first of them in order."""

    rows: Rows
    ranked: Ranked
    words: tuple[Wanted, ...]


def search(
    snapshot: Snapshot, query: Query, fetch: Callable[[Sequence[int]], list[Mapping[str, Any]]]
) -> Answer:
    """The answer to a query. `fetch` gets records by their numbers in the store."""
    words = snapshot.layout.tokenizer.words(query.query)[:MAX_WORDS]
    end = min(query.first + query.count, query.settings.pagination_limited_to)
    matches = match(snapshot, query, words, max(end, 0))
    hits = show(snapshot, query, words, matches, query.first, end, fetch)
    return Answer(
        hits=hits,
        nb_hits=len(matches.rows),
        exhaustive_hits=True,
        exhaustive_typo=None if query.typo_tolerance == "false" else True,
        parsed_query=" ".join(words),
    )


def match(snapshot: Snapshot, query: Query, words: Sequence[str], count: int) -> Matches:
    """What matches a query's words and filters, and the best `count` of it."""
    places = _places(snapshot, query)
    slots: dict[int, Slot] = {}
    founds: list[Rows] = []
    ranked: list[Ranked] = []
    wanted: list[Wanted] = []
    for reading in readings(snapshot, query, words) if words else [Reading(())]:
        chosen: list[Slot] = []
        for word in reading.words:
            if id(word) not in slots:
                slots[id(word)] = Slot(snapshot, word)
            chosen.append(slots[id(word)])
        if any(slot.empty and not slot.wanted.optional for slot in chosen):
            continue
        if chosen:
            found = find(snapshot, chosen, places.allowed)
        else:
            rows = snapshot.all_rows
            found = Found(rows, np.zeros((len(rows), 0), np.uint8))
        if query.filters is not None:
            found = found.pick(holds(snapshot, query.filters, found.rows))
        if not len(found.rows):
            continue
        founds.append(found.rows)
        wanted += reading.words
        ranked.append(
            tiebreak.rank(
                snapshot,
                found,
                query.ranking,
                query.settings.custom_ranking,
                partial(_cheap, snapshot, query, reading),
                partial(closeness, snapshot, slots=chosen, places=places),
                count,
                MOST_RANKED,
            )
        )
    rows: Rows = np.zeros(0, np.int64)
    if len(founds) == 1:
        rows = founds[0]
    elif founds:
        rows = np.unique(np.concatenate(founds))
    return Matches(rows, _best_of(snapshot, ranked, count), tuple(wanted))


def _cheap(
    snapshot: Snapshot, query: Query, reading: Reading, criterion: str, found: Found
) -> Column:
    count = len(found.rows)
    match criterion:
        case "typo":
            return tiebreak.typos(found) + reading.cost
        case "words":
            spans = np.array([word.span for word in reading.words], np.int64)
            return -((found.grades > 0) @ spans) if len(spans) else np.zeros(count, np.int64)
        case "filters":
            return -_scores(snapshot, query.optional, found.rows, query.sum_or_filters_scores)
        case _:
            return np.zeros(count, np.int64)


def _scores(snapshot: Snapshot, groups: Groups, rows: Rows, sum_or: bool) -> NDArray[np.int64]:
    """What each row gains from optional filters."""
    total = np.zeros(len(rows), np.int64)
    for group in groups:
        gained = np.zeros(len(rows), np.int64)
        for each in group:
            score = holds(snapshot, each.node, rows) * each.score
            gained = gained + score if sum_or else np.maximum(gained, score)
        total += gained
    return total


def _best_of(snapshot: Snapshot, ranked: Sequence[Ranked], count: int) -> Ranked:
    """The best of several readings: each row by the reading that ranks it best."""
    if not ranked:
        return Ranked(np.zeros(0, np.int64), {}, False)
    if len(ranked) == 1:
        return ranked[0]
    rows = np.concatenate([each.rows for each in ranked])
    names = list(ranked[0].criteria)
    columns = {name: np.concatenate([each.criteria[name] for each in ranked]) for name in names}
    order = np.lexsort((snapshot.numbers(rows), *(columns[name] for name in reversed(names))))
    first = np.unique(rows[order], return_index=True)[1]
    order = order[np.sort(first)][:count]
    return Ranked(
        rows[order],
        {name: column[order] for name, column in columns.items()},
        any(each.cut for each in ranked),
    )


def _places(snapshot: Snapshot, query: Query) -> Places:
    key = (
        "places",
        query.restrict_searchable_attributes,
        query.disable_exact_on_attributes,
        query.min_proximity,
        query.exact_on_single_word_query,
    )
    found = snapshot.cache.get(key)
    if found is None:
        found = snapshot.cache[key] = _make_places(snapshot, query)
    return found


def _make_places(snapshot: Snapshot, query: Query) -> Places:
    codes = np.arange(1 << 16)
    numbers = codes >> POSITION_BITS
    positions = codes & ((1 << POSITION_BITS) - 1)
    layout = snapshot.layout
    names = layout.attributes()
    allowed = None
    if query.restrict_searchable_attributes:
        chosen = np.zeros(MAX_ATTRIBUTE + 1, np.bool_)
        for number, name in enumerate(names):
            if name in query.restrict_searchable_attributes:
                chosen[min(number, MAX_ATTRIBUTE)] = True
        allowed = chosen[numbers]
    inexact = None
    if query.disable_exact_on_attributes:
        never = np.zeros(MAX_ATTRIBUTE + 1, np.bool_)
        for number, name in enumerate(names):
            if name in query.disable_exact_on_attributes:
                never[min(number, MAX_ATTRIBUTE)] = True
        inexact = never[numbers]
    keys = None
    if layout.searchable:
        ranks = np.zeros(MAX_ATTRIBUTE + 1, np.int64)
        ordered = np.zeros(MAX_ATTRIBUTE + 1, np.int64)
        for number, attribute in enumerate(layout.searchable):
            ranks[min(number, MAX_ATTRIBUTE)] = attribute.rank
            ordered[min(number, MAX_ATTRIBUTE)] = attribute.ordered
        keys = (ranks[numbers] * 1000 + np.minimum(positions, 999) * ordered[numbers]).astype(
            np.uint32
        )
    return Places(allowed, keys, inexact, query.min_proximity, query.exact_on_single_word_query)


def show(
    snapshot: Snapshot,
    query: Query,
    words: Sequence[str],
    matches: Matches,
    first: int,
    end: int,
    fetch: Callable[[Sequence[int]], list[Mapping[str, Any]]],
) -> list[Hit]:
    """The hits from `first` up to `end`, with their records."""
    ranked = matches.ranked
    rows = ranked.rows[first:end]
    records = fetch(snapshot.numbers(rows).tolist())
    settings = query.settings
    names = query.attributes_to_highlight
    if names is None:
        names = tuple(each.name for each in settings.searchable_attributes) or ("*",)
    marker = Marker(
        snapshot.layout.tokenizer,
        matches.words,
        words,
        query.highlight_pre_tag,
        query.highlight_post_tag,
    )
    hits: list[Hit] = []
    for at, record in enumerate(records):
        hits.append(
            Hit(
                object_id=str(record["objectID"]),
                record=record,
                ranking_info=_info(ranked, first + at) if query.get_ranking_info else None,
                highlight=highlight(marker, record, names) if names else None,
            )
        )
    return hits


def _info(ranked: Ranked, at: int) -> dict[str, Any]:
    def value(name: str) -> int:
        column = ranked.criteria.get(name)
        return 0 if column is None else int(column[at])

    attribute = value("attribute")
    return {
        "nbTypos": value("typo"),
        "firstMatchedWord": 0 if attribute == NOWHERE else attribute,
        "proximityDistance": value("proximity"),
        "userScore": 0,
        "geoDistance": value("geo"),
        "geoPrecision": 1,
        "nbExactWords": -value("exact"),
        "words": -value("words"),
        "filters": -value("filters"),
    }
