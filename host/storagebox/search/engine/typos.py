"""Which typos a word may have, and what a word of the vocabulary costs against one of a query.

Cost counts Damerau-Levenshtein edits (insert, delete, replace, swap of neighbours: 1 each, as
"optimal string alignment"), and one more when the first letters differ. Words of 4 characters and
more may cost 1, of 8 and more 2, or 3 when one of it is for the first letter (Algolia
documentation, "Typo tolerance"; `minWordSizefor1Typo`, `minWordSizefor2Typos`). Against a prefix
the cheapest beginning of the word counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

_FOR_FIRST: Final = 2  # edits that are forgiven where the first letter may be another
_MANY: Final = 64  # words of which most are worth leaving out before beginnings are tried


def edits_allowed(word: str, min_for_1: int, min_for_2: int) -> int:
    """How many edits a word of a query may be away, by its length."""
    if len(word) >= min_for_2:
        return 2
    return 1 if len(word) >= min_for_1 else 0


def measured(
    query: str, words: Sequence[str], edits: int, *, prefix: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """What each word costs against one of a query, of which `edits` edits are forgiven, and how
    many characters of it are what was meant.

    Both are 0 for words that won't do, and for those that cost nothing: the query's word itself,
    or with `prefix` what begins with it.
    """
    if prefix:
        costs, lengths = _of_beginnings(query, words, edits)
    else:
        costs = _distances(query, words, edits)
        lengths = np.fromiter(map(len, words), np.int64, len(words))
    costs[costs > edits] = 0
    for at in np.flatnonzero(costs).tolist():
        if words[at][0] != query[0]:
            costs[at] = costs[at] + 1 if edits >= _FOR_FIRST else 0
    return costs, lengths * (costs > 0)


def _of_beginnings(
    query: str, words: Sequence[str], edits: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The least distance of any beginning of each word, and the shortest that has it."""
    lengths = np.zeros(len(words), np.int64)
    best = np.full(len(words), edits + 1, np.uint8)
    # A beginning so near is as long as the query's word, give or take the edits, and what lacks
    # or has as many characters at its end is that many edits further away at most.
    size = len(query)
    hopeful = np.arange(len(words))
    if len(words) > _MANY:
        alike = _distances(query, [word[:size] for word in words], 2 * edits)
        hopeful = np.flatnonzero(alike <= 2 * edits)
        words = [words[at] for at in hopeful.tolist()]
    for end in range(max(1, size - edits), size + edits + 1):
        distances = _distances(query, [word[:end] for word in words], edits)
        nearer = distances < best[hopeful]
        best[hopeful[nearer]] = distances[nearer]
        lengths[hopeful[nearer]] = end
    return best, lengths


def _distances(query: str, words: Sequence[str], most: int) -> NDArray[np.uint8]:
    """The edits between a word and others; `most` + 1 where there are more than `most`."""
    if not words:
        return np.zeros(0, np.uint8)
    return process.cdist([query], words, scorer=OSA.distance, score_cutoff=most, dtype=np.uint8)[0]
