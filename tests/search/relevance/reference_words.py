"""Which words of an index will do for one of a query, by Algolia's rules for typos and prefixes.

Every known word is compared with the one that is looked for: no automaton, no cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import OSA

LONGEST_FIRST_PART: Final = 12  # characters of the first part of a word that is split


@dataclass(frozen=True)
class Tolerance:
    """What is forgiven: whether typos are at all, from how many characters on, and in numbers."""

    typos: bool = True
    one_from: int = 4
    two_from: int = 8
    in_numbers: bool = True

    def edits(self, word: str) -> int:
        """How many typos a word of a query may have, the first letter not counted double."""
        if not self.typos or (word.isdigit() and not self.in_numbers):
            return 0
        return (len(word) >= self.one_from) + (len(word) >= self.two_from)


class Vocabulary:
    """All words of some records, and how often each occurs."""

    def __init__(self, words: Iterable[str]) -> None:
        self._frequency = Counter(words)
        self._known: dict[tuple[str, bool, int], Mapping[str, int]] = {}

    def costs(self, word: str, *, prefix: bool, edits: int) -> Mapping[str, int]:
        """The words that will do, and how many typos away each is."""
        key = word, prefix, edits
        if key not in self._known:
            found = ((each, cost(word, each, prefix, edits)) for each in self._frequency)
            self._known[key] = {each: typos for each, typos in found if typos is not None}
        return self._known[key]

    def cut(self, word: str, *, prefix: bool) -> int | None:
        """Where a word is best split in two that are known: where the rarer is most frequent."""
        best, where = 0, None
        for at in range(1, min(len(word) - 1, LONGEST_FIRST_PART) + 1):
            rest = self.costs(word[at:], prefix=prefix, edits=0)
            count = min(self._frequency[word[:at]], sum(self._frequency[each] for each in rest))
            if count > best:
                best, where = count, at
        return where


def cost(typed: str, word: str, prefix: bool, edits: int) -> int | None:
    """The typos by which `typed` means `word`, or None if it doesn't.

    A beginning costs nothing. A letter replaced, left out, put in, or two swapped is a typo; one
    that changes the first letter is two, and only where two are forgiven.
    """
    if word == typed or (prefix and word.startswith(typed)):
        return 0
    if not edits:
        return None
    shortest, longest = max(1, len(typed) - edits), len(typed) + edits
    ends = range(shortest, min(longest, len(word)) + 1) if prefix else (len(word),)
    distances = (OSA.distance(typed, word[:end], score_cutoff=edits) for end in ends)
    distance = min(distances, default=edits + 1)
    if distance > edits:
        return None
    if word[0] == typed[0]:
        return distance
    return distance + 1 if edits == 2 else None
