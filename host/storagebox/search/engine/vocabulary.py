"""All words of an index: which begin with something, which are a few typos from something.

Words are kept sorted, so those with a common beginning are neighbours, and so are their postings.
Typos are found in two steps: numpy sifts all words by sets of letters, rapidfuzz measures the few
that are left. At 31,000 words that takes 0.03 ms for one edit in a whole word and 0.1 ms for two,
0.15 and 0.25 ms in a beginning; and no word is missed. (The automaton of tantivy 0.27 takes 0.1
and 0.35 ms, 0.45 and 0.35 ms; one word in 200 that begins with a typo isn't found by it, and its
dictionary takes 0.7 s to make.)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.grades import BEGINS
from storagebox.search.engine.typos import measured

_REMEMBERED: Final = 4096  # what was found for words of queries, which others hold as well
_LAST: Final = "\U0010ffff"
_LOOKED_AT: Final = 12  # characters of a word that the sieve sees
_BIT: Final = np.uint32(31)
_NO_LETTER: Final = np.uint32(32)
_SETS: Final = np.array([*(1 << bit for bit in range(32)), 0], np.uint32)


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
        self._sieve = _Sieve(words)
        self._near: dict[tuple[str, int, bool], Near] = {}
        self._joined: dict[str, tuple[str, list[int]]] = {}

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

    def holding(self, text: str, beginning: str) -> Iterator[str]:
        """The words that begin with `beginning` and have `text` somewhere behind it."""
        low, high = self.beginning(beginning)
        if low == high:
            return
        if beginning not in self._joined:
            words = self.words[low:high]
            starts = list(accumulate((len(word) + 1 for word in words), initial=0))
            self._joined[beginning] = "\n".join(words), starts
        joined, starts = self._joined[beginning]
        at = joined.find(text)
        while at >= 0:
            place = bisect_right(starts, at) - 1
            yield self.words[low + place]
            at = joined.find(text, starts[place + 1])

    def forget(self) -> None:
        """Remember nothing of what was found."""
        self._near.clear()
        self._joined.clear()

    def _look(self, query: str, edits: int, prefix: bool) -> Near:
        # What has another first letter takes two edits to be forgiven.
        among = slice(0, len(self.words)) if edits > 1 else slice(*self.beginning(query[0]))
        places = self._sieve.sift(query, edits, among, prefix=prefix)
        numbers: list[int] = places.tolist()
        words = [self.words[number] for number in numbers]
        costs, lengths = measured(query, words, edits, prefix=prefix)
        near = np.flatnonzero(costs)
        # Worst first, and equals by their places.
        near = near[np.argsort(-costs[near].astype(np.int64), kind="stable")]
        grades = 2 * costs[near] + np.uint8(BEGINS)
        meant = zip(grades.tolist(), lengths[near].tolist(), strict=True)
        return Near(
            places[near],
            grades,
            dict(zip([words[at] for at in near.tolist()], meant, strict=True)),
            edits,
        )


class _Sieve:
    """Leaves out words that can't be a few edits from one, by the letters in parts of them.

    Where a word of a query and one of the index (or its beginning) are `edits` edits apart, the
    letter at i of the one is at i - edits to i + edits of the other, but for at most `edits`
    letters. So of the letters in each half of the query's word few may be missing in a somewhat
    wider part of the other. A part's letters are a set of 32 bits, which letters may share.
    """

    def __init__(self, words: Sequence[str]) -> None:
        points = np.array(words, f"U{_LOOKED_AT}").view(np.uint32).reshape(-1, _LOOKED_AT)
        # By position, then by word; past a word's end there is no letter.
        bits = np.where(points == 0, _NO_LETTER, points & _BIT).astype(np.uint8)
        self._bits = np.ascontiguousarray(bits.T)
        self._lengths = np.fromiter(map(len, words), np.int32, len(words))
        self._parts: dict[tuple[int, int], NDArray[np.uint32]] = {}

    def sift(self, query: str, edits: int, among: slice, *, prefix: bool) -> NDArray[np.int64]:
        """The places of words that may be near, and few others."""
        end = min(len(query), _LOOKED_AT - edits)
        half = end // 2
        missing = np.bitwise_count(_letters(query[:half]) & ~self._part(0, half + edits)[among])
        second = self._part(max(half - edits, 0), end + edits)[among]
        missing += np.bitwise_count(_letters(query[half:end]) & ~second)
        hopeful = missing <= edits
        if not prefix:
            hopeful &= np.abs(self._lengths[among] - len(query)) <= edits
        return np.flatnonzero(hopeful) + among.start

    def _part(self, first: int, end: int) -> NDArray[np.uint32]:
        """The letters of each word from one position up to another."""
        known = self._parts.get((first, end))
        if known is None:
            known = np.bitwise_or.reduce(_SETS[self._bits[first:end]], axis=0)
            self._parts[first, end] = known
        return known


def _letters(text: str) -> np.uint32:
    """The set of the letters in a text."""
    found = 0
    for letter in text:
        found |= 1 << (ord(letter) & 31)
    return np.uint32(found)
