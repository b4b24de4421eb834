"""Compound words of a query and of records, taken apart by the words that the index knows.

Of a query's they are the parts (`decompoundQuery`). Of a record's, in `decompoundedAttributes`,
each is kept once more behind COMPOUND (see layout), so all of them are neighbours in the order of
words, and those that hold a word of a query are sought among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from storagebox.search.engine.budget import Budget
from storagebox.search.engine.layout import COMPOUND
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.language import compounds
from storagebox.search.language.dictionaries import Dictionaries
from storagebox.search.language.query import Query


@dataclass(frozen=True, slots=True)
class _Ways:
    """How compounds of some languages are taken apart: as an application says, else by `links`.

    Without links none are but the application's `own`.
    """

    own: Mapping[str, tuple[str, ...]]
    links: tuple[str, ...]


def _ways(dictionaries: Dictionaries, languages: tuple[str, ...]) -> _Ways | None:
    if not languages:
        return None
    standard = dictionaries.compound_languages(languages)
    return _Ways(dictionaries.compounds(languages), compounds.links(standard) if standard else ())


class Compounds:
    """What one query may take apart in one snapshot."""

    def __init__(self, snapshot: Snapshot, query: Query, budget: Budget) -> None:
        self._snapshot = snapshot
        self._budget = budget
        self._dictionaries = query.settings.dictionaries
        self._of_query = _ways(self._dictionaries, query.compound_languages)
        self._of_records = _ways(self._dictionaries, snapshot.layout.compound_languages)

    def parts(self, word: str, *, prefix: bool) -> tuple[str, ...]:
        """The words that one of the query is made of; none if it isn't to be taken apart."""
        ways = self._of_query
        if ways is None:
            return ()
        if word in ways.own:
            return ways.own[word]
        if not ways.links:
            return ()
        places_of = self._snapshot.places_of

        def count(part: str, is_beginning: bool) -> int:
            return places_of(part, prefix=is_beginning)

        return compounds.parts(word, count, ways.links, prefix=prefix)

    def holding(self, word: str, *, prefix: bool) -> frozenset[str]:
        """The words of records, behind COMPOUND, that `word` is a part of."""
        ways = self._of_records
        if ways is None or len(word) < compounds.MIN_PART:
            return frozenset()
        cache = self._snapshot.cache
        key = "compounds", self._dictionaries, word, prefix
        found: frozenset[str] | None = cache.get(key)
        if found is None:
            found = frozenset(self._made_of(word, ways, prefix=prefix))
            if not self._budget.typos_cut:
                cache[key] = found
        return found

    def _made_of(self, word: str, ways: _Ways, *, prefix: bool) -> Iterator[str]:
        for compound, parts in ways.own.items():
            if any(part == word or (prefix and part.startswith(word)) for part in parts):
                yield COMPOUND + compound
        if not ways.links:
            return
        snapshot = self._snapshot
        known: dict[str, bool] = {word: True}

        def is_known(part: str) -> bool:
            if part not in known:
                known[part] = snapshot.knows(part)
            return known[part]

        for words in (snapshot.base.words, snapshot.new_words[0]):
            for kept in words.holding(word, COMPOUND):
                if not self._budget.has_time_for_typos():
                    return
                compound = kept.removeprefix(COMPOUND)
                if compound not in ways.own and compounds.holds(
                    compound, word, is_known, ways.links, prefix=prefix
                ):
                    yield kept
