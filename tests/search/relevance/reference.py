"""A slow search that ranks every record by Algolia's rules, in plain Python: what must come out.

It shares nothing with the engine: no index, no candidates, no cut. Only what texts come as here is
provided for: words of ASCII letters and digits in attributes that are plain strings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from rapidfuzz.distance import OSA

FAR = 8
GAP_FREE = re.compile("[a-z0-9]+")


class Word(NamedTuple):
    """One word that is looked for."""

    text: str
    prefix: bool
    typos: bool


class Ranked(NamedTuple):
    """A record and its criteria, smaller is better: typo, proximity, attribute, exact, custom."""

    object_id: str
    key: tuple[float, ...]


class Reference:
    """Records with their words, and how attributes and customRanking order them.

    `searchable` are names of attributes, best first, all ordered; `custom` is an attribute by
    whose number records are sorted, greatest first, or None.
    """

    def __init__(
        self, records: Sequence[Mapping[str, Any]], searchable: Sequence[str], custom: str | None
    ) -> None:
        self._custom = custom
        self._records = records
        self._words = [
            [
                (word, rank, at)
                for rank, name in enumerate(searchable)
                for at, word in enumerate(GAP_FREE.findall(str(record.get(name, "")).lower()))
            ]
            for record in records
        ]
        self._lengths = [
            {
                rank: len(GAP_FREE.findall(str(record.get(name, "")).lower()))
                for rank, name in enumerate(searchable)
            }
            for record in records
        ]
        self._vocabulary = {word for words in self._words for word, _, _ in words}
        self._frequency: dict[str, int] = {}
        for words in self._words:
            for word, _, _ in words:
                self._frequency[word] = self._frequency.get(word, 0) + 1

    def search(self, query: str) -> list[Ranked]:
        """All records that match, best first."""
        words = GAP_FREE.findall(query.lower())
        best: dict[int, tuple[float, ...]] = {}
        for reading, cost in self._readings(words):
            costs = [self._costs(word) for word in reading]
            for number in range(len(self._records)):
                key = self._key(number, reading, costs, cost)
                if key is not None and (number not in best or key < best[number]):
                    best[number] = key
        ranked = [
            Ranked(
                str(self._records[number]["objectID"]),
                (*key, self._custom_key(number), number),
            )
            for number, key in best.items()
        ]
        return sorted(ranked, key=lambda each: each.key)

    def _readings(self, words: Sequence[str]) -> list[tuple[list[Word], int]]:
        plain = [Word(word, at == len(words) - 1, True) for at, word in enumerate(words)]
        readings = [(plain, 0)]
        spans = [(at, at + 2) for at in range(len(words) - 1)]
        if len(words) > 2:
            spans.append((0, len(words)))
        for first, end in spans:
            joined = Word("".join(words[first:end]), end == len(words), False)
            if self._costs(joined):
                readings.append(([*plain[:first], joined, *plain[end:]], 1))
        for at, word in enumerate(words):
            cut = self._best_cut(word, plain[at].prefix)
            if cut:
                parts = [
                    Word(word[:cut], False, False),
                    Word(word[cut:], plain[at].prefix, False),
                ]
                readings.append(([*plain[:at], *parts, *plain[at + 1 :]], 1))
        return readings

    def _best_cut(self, word: str, prefix: bool) -> int:
        if len(word) < 4:
            return 0
        best, where = 0, 0
        for cut in range(1, min(len(word) - 1, 12) + 1):
            second = [
                known
                for known in self._vocabulary
                if known == word[cut:] or (prefix and known.startswith(word[cut:]))
            ]
            count = min(
                self._frequency.get(word[:cut], 0), sum(self._frequency[each] for each in second)
            )
            if count > best:
                best, where = count, cut
        return where

    def _costs(self, wanted: Word) -> dict[str, tuple[int, bool]]:
        """Of the words there are those that will do: their typos, and whether it is the word."""
        found: dict[str, tuple[int, bool]] = {}
        query = wanted.text
        edits = 0 if not wanted.typos or len(query) < 4 else 1 if len(query) < 8 else 2
        for word in self._vocabulary:
            if word == query:
                found[word] = (0, True)
            elif wanted.prefix and word.startswith(query):
                found[word] = (0, False)
            elif edits:
                ends = range(1, len(word) + 1) if wanted.prefix else (len(word),)
                distance = min(
                    OSA.distance(query, word[:end])
                    for end in ends
                    if not wanted.prefix or end <= len(query) + edits or end == 1
                )
                # The first letter counts for one more; three only as one of those.
                other = word[0] != query[0]
                if distance <= edits and (not other or edits == 2):
                    found[word] = (distance + other, False)
        return found

    def _key(
        self,
        number: int,
        reading: Sequence[Word],
        costs: Sequence[Mapping[str, tuple[int, bool]]],
        extra: int,
    ) -> tuple[float, ...] | None:
        typos = extra
        attribute = 1 << 30
        exact = 0
        places: list[list[tuple[int, int]]] = []
        for will_do in costs:
            here = [
                (will_do[word], rank, at)
                for word, rank, at in self._words[number]
                if word in will_do
            ]
            if not here:
                return None
            fewest = min(cost for (cost, _), _, _ in here)
            typos += fewest
            here = [each for each in here if each[0][0] == fewest]
            places.append([(rank, at) for _, rank, at in here])
            attribute = min(attribute, *(rank * 1000 + min(at, 999) for _, rank, at in here))
            if len(reading) == 1:
                alone = any(
                    is_word and self._lengths[number][rank] == 1 for (_, is_word), rank, _ in here
                )
                exact += alone
            else:
                exact += any(is_word for (_, is_word), _, _ in here)
        proximity = sum(
            min(_distance(a, b) for a in first for b in second)
            for first, second in pairwise(places)
        )
        return typos, proximity, attribute, -exact

    def _custom_key(self, number: int) -> float:
        value = self._records[number].get(self._custom) if self._custom else None
        return float("inf") if value is None else -float(value)


def _distance(a: tuple[int, int], b: tuple[int, int]) -> int:
    if a[0] != b[0]:
        return FAR
    gap = b[1] - a[1]
    if gap == 0:
        return FAR  # the same word can't be both
    return min(FAR, gap if gap > 0 else 1 - gap)
