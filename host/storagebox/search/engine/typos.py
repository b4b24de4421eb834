"""Which typos a word may have, and what a word of the vocabulary costs against one of a query.

Cost counts Damerau-Levenshtein edits (insert, delete, replace, swap of neighbours: 1 each, as
"optimal string alignment"), and one more when the first letters differ. Words of 4 characters and
more may cost 1, of 8 and more 2, or 3 when one of it is for the first letter (Algolia
documentation, "Typo tolerance"; `minWordSizefor1Typo`, `minWordSizefor2Typos`). Against a prefix
the cheapest beginning of the word counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA


@dataclass(frozen=True, slots=True)
class Match:
    """`length` characters of a word are what a query's word was meant to be, at `cost` typos."""

    word: str
    cost: int
    length: int


def edits_allowed(word: str, min_for_1: int, min_for_2: int) -> int:
    """How many edits a word of a query may be away, by its length."""
    if len(word) >= min_for_2:
        return 2
    return 1 if len(word) >= min_for_1 else 0


def matches(query: str, words: Sequence[str], edits: int, *, prefix: bool) -> list[Match]:
    """Those of `words` that are 1 to `edits` edits away from `query`, first letters considered.

    With `prefix`, a word of which any beginning is near enough; words that begin with `query` cost
    nothing and aren't among the results, nor is `query` itself.
    """
    if not words:
        return []
    if not prefix:
        distances = process.cdist(
            [query], words, scorer=OSA.distance, score_cutoff=edits, dtype=np.uint8
        )[0]
        near = np.flatnonzero((distances <= edits) & (distances > 0)).tolist()
        return [
            Match(word, cost, len(word))
            for word, cost in (
                (words[at], int(distances[at]) + (words[at][0] != query[0])) for at in near
            )
            if cost <= edits or (edits == 2 and cost == 3)
        ]
    low, high = max(1, len(query) - edits), len(query) + edits
    beginnings: dict[str, int] = {}
    for word in words:
        for length in range(low, min(high, len(word)) + 1):
            beginnings.setdefault(word[:length], 0)
    candidates = list(beginnings)
    distances = process.cdist(
        [query], candidates, scorer=OSA.distance, score_cutoff=edits, dtype=np.uint8
    )[0]
    near = np.flatnonzero(distances <= edits).tolist()
    cheapest = {candidates[at]: int(distances[at]) for at in near}
    found: list[Match] = []
    for word in words:
        best = edits + 1
        matched = 0
        for length in range(low, min(high, len(word)) + 1):
            cost = cheapest.get(word[:length], edits + 1)
            if cost < best:
                best, matched = cost, length
        if best > edits or best == 0:
            continue
        cost = best + (word[0] != query[0])
        if cost <= edits or (edits == 2 and cost == 3):
            found.append(Match(word, cost, matched))
    return found
