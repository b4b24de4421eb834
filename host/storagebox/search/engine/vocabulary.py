"""All words of an index: which begin with something, which are a few typos from something.

Words are kept sorted, so those with a common beginning are neighbours, and so are their postings.
Typos are found in two steps. tantivy intersects a Levenshtein automaton with its dictionary, in
which every word is a document (0.05 ms for one edit and 0.4 ms for two at 40,000 words, without
holding the interpreter's lock); rapidfuzz then measures the few words that came back. Words too
few to deserve a dictionary are sifted by sets of letters instead: an edit takes away at most one
letter of the query's word and brings in at most one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import tantivy
from numpy.typing import NDArray

from storagebox.search.engine.grades import grade
from storagebox.search.engine.typos import Measure

_FEW: Final = 4096  # words for which a dictionary isn't worth the time it takes to build
_MOST: Final = 20_000  # words that are looked at; more are near short beginnings only
_REMEMBERED: Final = 4096  # what was found for words of queries, which others hold as well
_LAST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Near:
    """Words some typos away: their places and grades, worst grade first, in two arrays.

    `meant`: by word its grade, and how many of its characters are what was meant.
    """

    places: NDArray[np.int64]
    grades: NDArray[np.uint8]
    meant: dict[str, tuple[int, int]]
    edits: int = 0


NOTHING_NEAR: Final = Near(np.zeros(0, np.int64), np.zeros(0, np.uint8), {})


class Words:
    """Some words, sorted; a word is known by its place in the order. Threads may share one."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self._dictionary = _Dictionary(words) if len(words) > _FEW else None
        self._letters = None if self._dictionary else _letter_sets(words)
        self._near: dict[tuple[str, int, bool], Near] = {}

    def __len__(self) -> int:
        return len(self.words)

    def find(self, word: str) -> int:
        """The place of `word`, or -1."""
        place = bisect_left(self.words, word)
        return place if place < len(self.words) and self.words[place] == word else -1

    def beginning(self, prefix: str) -> tuple[int, int]:
        """The places of the words that begin so: from the first number up to the second."""
        return bisect_left(self.words, prefix), bisect_left(self.words, prefix + _LAST)

    def near(self, query: str, edits: int, *, prefix: bool) -> Near:
        """Words 1 to `edits` edits away, costs as in `typos`; not `query` nor what it begins."""
        if edits == 0 or not self.words:
            return NOTHING_NEAR
        known = self._near.get((query, edits, prefix))
        if known is None:
            known = self._look(query, edits, prefix)
            if len(self._near) >= _REMEMBERED:
                self._near.clear()
            self._near[query, edits, prefix] = known
        return known

    def forget(self) -> None:
        """Remember nothing of what was found."""
        self._near.clear()

    def _look(self, query: str, edits: int, prefix: bool) -> Near:
        if self._dictionary is not None:
            places = self._dictionary.near(query, edits, prefix=prefix)
        else:
            places = self._sift(query, edits)
        measure = Measure(query, edits, prefix=prefix)
        words = self.words
        found: list[tuple[int, int]] = []
        meant: dict[str, tuple[int, int]] = {}
        for place in places:
            word = words[place]
            cost, length = measure(word)
            if cost:
                how = grade(cost, exact=False)
                found.append((-how, place))
                meant[word] = how, length
        found.sort()
        return Near(
            np.array([place for _, place in found], np.int64),
            np.array([-how for how, _ in found], np.uint8),
            meant,
            edits,
        )

    def _sift(self, query: str, edits: int) -> list[int]:
        assert self._letters is not None
        missing = np.bitwise_count(~self._letters & _letter_set(query))
        return np.flatnonzero(missing <= edits).tolist()


class _Dictionary:
    """Words as documents of one segment in memory: a document's number is a word's place."""

    def __init__(self, words: Sequence[str]) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("word", tokenizer_name="raw", index_option="basic")
        self._schema = builder.build()
        index = tantivy.Index(self._schema)
        # One thread and room for all: one segment, in order.
        writer = index.writer(15_000_000 + 400 * len(words), 1)
        for word in words:
            document = tantivy.Document()
            document.add_text("word", word)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self._searcher = index.searcher()
        if self._searcher.num_segments != 1:
            raise RuntimeError("vocabulary: tantivy split a dictionary that must be one segment")

    def near(self, query: str, edits: int, *, prefix: bool) -> list[int]:
        """The places of the words within `edits` edits, `query` itself among them."""
        fuzzy = tantivy.Query.fuzzy_term_query(self._schema, "word", query, edits, True, prefix)
        hits = self._searcher.search(fuzzy, limit=_MOST, count=False).hits
        return [address.doc for _, address in hits]


def _letter_sets(words: Sequence[str]) -> NDArray[np.uint32]:
    """For each word the set of its letters, in 32 bits: letters may share one."""
    return np.fromiter((_letter_set(word) for word in words), np.uint32, len(words))


def _letter_set(word: str) -> np.uint32:
    found = 0
    for letter in word:
        found |= 1 << (ord(letter) & 31)
    return np.uint32(found)
