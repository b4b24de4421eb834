"""Searching in the values of a facet: as in records, but a value is all there is to rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.facets import counts, ordered
from storagebox.search.engine.highlight import Marker
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.slots import Wanted
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.typos import edits_allowed
from storagebox.search.engine.vocabulary import Words
from storagebox.search.language.query import Query


@dataclass(frozen=True, slots=True)
class FacetHit:
    """A value, the same with what matched marked, and in how many records it is."""

    value: str
    highlighted: str
    count: int


@dataclass(frozen=True, slots=True)
class FacetAnswer:
    """What a search for values of a facet found."""

    hits: list[FacetHit]
    exhaustive: bool = True

    def to_json(self) -> dict[str, Any]:
        """The body of the answer, but for times."""
        return {
            "facetHits": [
                {"value": hit.value, "highlighted": hit.highlighted, "count": hit.count}
                for hit in self.hits
            ],
            "exhaustiveFacetsCount": self.exhaustive,
        }


class _ValueWords:
    """Which values of a facet hold which words."""

    def __init__(self, snapshot: Snapshot, at: int) -> None:
        values = snapshot.names[at].values
        self.count = len(values)
        by_word: dict[str, list[int]] = {}
        for number, value in enumerate(values):
            for word in snapshot.layout.tokenizer.words(value):
                by_word.setdefault(word, []).append(number)
        words = sorted(by_word)
        self.words = Words(words)
        counts = np.array([len(by_word[word]) for word in words], np.int64)
        self.ptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        self.values = np.array([each for word in words for each in by_word[word]], np.int64)


def facet_search(
    snapshot: Snapshot, facet: str, facet_query: str, query: Query, rows: Rows, most: int
) -> FacetAnswer:
    """The values of `facet` that match, among the records in `rows`, most frequent first."""
    at = snapshot.layout.facets.index(facet)
    names = snapshot.names[at]
    found = counts(snapshot, facet, rows).copy()
    words = snapshot.layout.tokenizer.words(facet_query)
    wanted: list[Wanted] = []
    if words:
        index = _value_words(snapshot, at)
        matching: NDArray[np.bool_] = np.ones(index.count, np.bool_)
        for number, word in enumerate(words):
            wanted.append(_wanted(index, query, word, number, last=number == len(words) - 1))
            matching &= _holding(index, wanted[-1])
        found = found[: index.count]
        found[~matching[: len(found)]] = 0
    marker = Marker(
        snapshot.layout.tokenizer, wanted, words, query.highlight_pre_tag, query.highlight_post_tag
    )
    hits: list[FacetHit] = []
    for each in ordered(names.values, found, most, query.sort_facet_values_by):
        value = names.values[each]
        hits.append(FacetHit(value, marker.marked(value)["value"], int(found[each])))
    return FacetAnswer(hits)


def _value_words(snapshot: Snapshot, at: int) -> _ValueWords:
    # Values only ever get more, so their words are good for all snapshots until there are.
    key = ("value words", at)
    known: _ValueWords | None = snapshot.cache.get(key)
    if known is None or known.count < len(snapshot.names[at].values):
        known = snapshot.cache[key] = _ValueWords(snapshot, at)
    return known


def _wanted(index: _ValueWords, query: Query, word: str, at: int, *, last: bool) -> Wanted:
    edits = 0
    if query.typo_tolerance != "false":
        edits = edits_allowed(word, query.min_word_sizefor1_typo, query.min_word_sizefor2_typos)
    return Wanted(word, last, at, old=index.words.near(word, edits, prefix=last))


def _holding(index: _ValueWords, wanted: Wanted) -> NDArray[np.bool_]:
    """Which values hold a word that will do."""
    result = np.zeros(index.count, np.bool_)
    for place in (index.words.find(wanted.text), *wanted.old.places.tolist()):
        if place >= 0:
            result[index.values[index.ptr[place] : index.ptr[place + 1]]] = True
    if wanted.prefix:
        low, high = index.words.beginning(wanted.text)
        result[index.values[index.ptr[low] : index.ptr[high]]] = True
    return result
