"""What a word of a query may stand for in a rule's pattern: its plural, a typo of it, a synonym.

One step of one of them, not several: "laptops" isn't "notebook" because "laptop" is a synonym of
it (Algolia support, "Why does my rule not trigger for indirect matches").
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from rapidfuzz import process
from rapidfuzz.distance import OSA

from storagebox.search.language import words
from storagebox.search.language.query import Query

Synonyms = Callable[[str], Collection[str]]
"""The single words that a query for a word finds too."""


class Alternatives:
    """The alternatives of the words of one query."""

    def __init__(self, query: Query, synonyms: Synonyms) -> None:
        self._query = query
        self._synonyms = synonyms
        self._languages = words.chosen(
            True,
            query.query_languages or query.settings.index_languages,
            query.settings.dictionaries.plural_languages,
        )
        self._known: dict[str, frozenset[str]] = {}

    def alike(self, word: str, wanted: str) -> bool:
        """Whether a word of the query stands for a word of a pattern that isn't the same."""
        if wanted in self._listed(word):
            return True
        typos = self._typos(word)
        return bool(typos) and OSA.distance(word, wanted, score_cutoff=typos) <= typos

    def among(self, word: str, vocabulary: Collection[str]) -> set[str]:
        """Those of many words that `word` stands for."""
        found = {each for each in self._listed(word) if each in vocabulary}
        typos = self._typos(word)
        if typos:
            near = process.extract(
                word, vocabulary, scorer=OSA.distance, score_cutoff=typos, limit=None
            )
            found.update(each for each, _, _ in near)
        return found

    def _listed(self, word: str) -> frozenset[str]:
        listed = self._known.get(word)
        if listed is None:
            forms = self._query.settings.dictionaries.forms(word, self._languages)
            listed = forms.union(self._synonyms(word))
            self._known[word] = listed
        return listed

    def _typos(self, word: str) -> int:
        """How many typos a word may have; as many as it may have in a record."""
        query = self._query
        if query.typo_tolerance == "false":
            return 0
        return (len(word) >= query.min_word_sizefor1_typo) + (
            len(word) >= query.min_word_sizefor2_typos
        )
