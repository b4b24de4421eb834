"""Which typos a word may have, and what a word of the vocabulary costs against one of a query.

Cost counts Damerau-Levenshtein edits (insert, delete, replace, swap of neighbours: 1 each, as
"optimal string alignment"), and one more when the first letters differ. Words of 4 characters and
more may cost 1, of 8 and more 2, or 3 when one of it is for the first letter (Algolia
documentation, "Typo tolerance"; `minWordSizefor1Typo`, `minWordSizefor2Typos`). Against a prefix
the cheapest beginning of the word counts.
"""

from __future__ import annotations

from rapidfuzz.distance import OSA


def edits_allowed(word: str, min_for_1: int, min_for_2: int) -> int:
    """How many edits a word of a query may be away, by its length."""
    if len(word) >= min_for_2:
        return 2
    return 1 if len(word) >= min_for_1 else 0


class Measure:
    """Measures words against one of a query, of which `edits` edits are forgiven."""

    def __init__(self, query: str, edits: int, *, prefix: bool) -> None:
        self._query = query
        self._edits = edits
        self._prefix = prefix
        self._known: dict[str, int] = {}

    def __call__(self, word: str) -> tuple[int, int]:
        """What a word costs, and how many characters of it are what was meant; (0, 0) if none.

        Words that are the query's, or begin with it, cost nothing and are (0, 0) as well.
        """
        query, edits = self._query, self._edits
        other_first = word[0] != query[0]
        if other_first and edits < 2:
            return 0, 0
        length = len(word)
        if not self._prefix:
            best = OSA.distance(query, word, score_cutoff=edits)
        else:
            best = edits + 1
            for end in range(max(1, len(query) - edits), min(len(query) + edits, len(word)) + 1):
                beginning = word[:end]
                distance = self._known.get(beginning)
                if distance is None:
                    distance = OSA.distance(query, beginning, score_cutoff=edits)
                    self._known[beginning] = distance
                if distance < best:
                    best, length = distance, end
        if best > edits or best == 0:
            return 0, 0
        return best + other_first, length
