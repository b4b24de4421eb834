"""A slow search that ranks every record by Algolia's published rules: what must come out.

It shares nothing with the engine: no tables, no cut. Only what texts come as here is provided for:
words of ASCII letters and digits in attributes that are plain strings, and sorts by numbers.
The rules are those of Algolia's guides to its ranking criteria and to typo tolerance, and of the
descriptions of parameters in its clients.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import Any, Final, NamedTuple

from tests.search.relevance.reference_words import Tolerance, Vocabulary

CRITERIA: Final = ("typo", "geo", "words", "filters", "proximity", "attribute", "exact", "custom")
FAR: Final = 8  # the most that proximity counts
NOWHERE: Final = 1 << 16
_WORD: Final = re.compile("[a-z0-9]+")


class Place(NamedTuple):
    """Where a word stands: the attribute's number, and the word's position in it."""

    attribute: int
    position: int


class Wanted(NamedTuple):
    """A word that is looked for: how many of the query's it stands for, and what will do."""

    spans: int
    optional: bool
    text: str
    costs: Mapping[str, int]


class Reading(NamedTuple):
    """One way to understand the query, and the typos that it costs."""

    words: tuple[Wanted, ...]
    cost: int


class Ranked(NamedTuple):
    """A record and its criteria in the order of the ranking, smaller is better."""

    object_id: str
    key: tuple[float, ...]


class Reference:
    """Records, ranked as the settings say; what is asked with a query goes before them."""

    def __init__(self, records: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
        self._records = records
        self._settings = settings
        self._names: list[str] = []
        self._ranks: list[int] = []
        self._ordered: list[bool] = []
        for rank, listed in enumerate(settings["searchableAttributes"]):
            names = [name.strip() for name in listed.split(",")]
            for name in names:
                inside = re.fullmatch(r"unordered\((.*)\)", name)
                self._names.append(inside[1] if inside else name)
                self._ranks.append(rank)
                self._ordered.append(not inside and len(names) == 1)
        self._places = [self._places_in(record) for record in records]
        self._with_word: dict[str, set[int]] = {}
        for number, places in enumerate(self._places):
            for word in places:
                self._with_word.setdefault(word, set()).add(number)
        self._vocabulary = Vocabulary(
            word for places in self._places for word, where in places.items() for _ in where
        )

    def search(self, query: str, **params: Any) -> list[Ranked]:
        """All records that match, best first."""
        asked = {**self._settings, **params}
        keys: dict[int, tuple[float, ...]] = {}
        for reading in self._readings(_WORD.findall(query.lower()), asked):
            for number in self._matching(reading):
                key = self._key(number, reading, asked)
                if number not in keys or key < keys[number]:
                    keys[number] = key
        fewest = {"min": 1, "strict": 2}.get(str(asked.get("typoTolerance")))
        if fewest and keys:
            # These two put the typos first.
            kept = sorted({key[0] for key in keys.values()})[:fewest]
            keys = {number: key for number, key in keys.items() if key[0] in kept}
        best_first = sorted(keys, key=lambda number: (*keys[number], number))
        return [Ranked(str(self._records[each]["objectID"]), keys[each]) for each in best_first]

    def _places_in(self, record: Mapping[str, Any]) -> dict[str, list[Place]]:
        found: dict[str, list[Place]] = {}
        for attribute, name in enumerate(self._names):
            for at, word in enumerate(_WORD.findall(str(record.get(name, "")).lower())):
                found.setdefault(word, []).append(Place(attribute, at))
        return found

    def _readings(self, words: Sequence[str], asked: Mapping[str, Any]) -> Iterator[Reading]:
        """The query as it stands, with two words or all joined, and with one split."""
        prefixes = {
            "prefixLast": [at == len(words) - 1 for at in range(len(words))],
            "prefixAll": [True] * len(words),
            "prefixNone": [False] * len(words),
        }[asked.get("queryType", "prefixLast")]
        tolerance = Tolerance(
            typos=asked.get("typoTolerance", True) not in (False, "false"),
            one_from=asked.get("minWordSizefor1Typo", 4),
            two_from=asked.get("minWordSizefor2Typos", 8),
            in_numbers=asked.get("allowTyposOnNumericTokens", True),
        )
        may_miss = {
            word for each in asked.get("optionalWords", ()) for word in _WORD.findall(each.lower())
        }

        def wanted(text: str, optional: bool, prefix: bool, edits: int, spans: int = 1) -> Wanted:
            costs = self._vocabulary.costs(text, prefix=prefix, edits=edits)
            return Wanted(spans, optional, text, costs)

        plain = tuple(
            wanted(word, word in may_miss, prefix, tolerance.edits(word))
            for word, prefix in zip(words, prefixes, strict=True)
        )
        yield Reading(plain, 0)
        if not tolerance.typos:
            return
        spans = [(at, at + 2) for at in range(len(words) - 1)]
        if len(words) > 2:
            spans.append((0, len(words)))
        for first, end in spans:
            optional = all(each.optional for each in plain[first:end])
            text = "".join(words[first:end])
            joined = wanted(text, optional, prefixes[end - 1], 0, end - first)
            if joined.costs:
                yield Reading((*plain[:first], joined, *plain[end:]), 1)
        for at, word in enumerate(words):
            cut = self._vocabulary.cut(word, prefix=prefixes[at])
            if cut and len(word) >= tolerance.one_from:
                optional = plain[at].optional
                parts = (
                    wanted(word[:cut], optional, False, 0),
                    wanted(word[cut:], optional, prefixes[at], 0, 0),
                )
                yield Reading((*plain[:at], *parts, *plain[at + 1 :]), 1)

    def _matching(self, reading: Reading) -> set[int]:
        """The records that have all words but the optional ones, and at least one."""
        each = [
            set().union(*(self._with_word[word] for word in wanted.costs))
            for wanted in reading.words
        ]
        needed = [
            found for found, wanted in zip(each, reading.words, strict=True) if not wanted.optional
        ]
        return set.intersection(*needed) if needed else set[int]().union(*each)

    def _key(self, number: int, reading: Reading, asked: Mapping[str, Any]) -> tuple[float, ...]:
        """What the criteria of the ranking are for one record, in order."""
        typos = reading.cost
        matched = exact = 0
        where: list[list[Place]] = []
        for wanted in reading.words:
            here = {
                word: wanted.costs[word] for word in self._places[number] if word in wanted.costs
            }
            fewest = min(here.values(), default=0)
            typos += fewest
            nearest = [word for word, cost in here.items() if cost == fewest]
            where.append([place for word in nearest for place in self._places[number][word]])
            matched += bool(nearest) * wanted.spans
            if wanted.text in nearest:
                alone = len(reading.words) == 1
                exact += self._is_exact_alone(number, wanted.text, asked) if alone else 1
        distances = [_proximity(pair, asked.get("minProximity", 1)) for pair in pairwise(where)]
        ranking = list(asked.get("ranking", CRITERIA))
        if str(asked.get("typoTolerance")) in ("min", "strict"):
            ranking = ["typo", *(each for each in ranking if each != "typo")]
        values = {
            "typo": typos,
            "words": -matched,
            "proximity": sum(distances),
            "attribute": self._attribute(where, distances, asked, ranking),
            "exact": -exact,
        }
        key: list[float] = []
        for criterion in ranking:
            if criterion == "custom":
                key += [self._sort(number, each) for each in asked.get("customRanking", ())]
            elif "(" in criterion:
                key.append(self._sort(number, criterion))
            else:
                key.append(values.get(criterion, 0))
        return tuple(key)

    def _is_exact_alone(self, number: int, word: str, asked: Mapping[str, Any]) -> bool:
        """Whether the only word of a query counts as exact."""
        match asked.get("exactOnSingleWordQuery", "attribute"):
            case "none":
                return False
            case "word":
                return len(word) >= 3  # there are no stop words in these texts
            case _:
                texts = (str(self._records[number].get(name, "")) for name in self._names)
                return any(_WORD.findall(text.lower()) == [word] for text in texts)

    def _attribute(
        self,
        where: Sequence[Sequence[Place]],
        distances: Sequence[int],
        asked: Mapping[str, Any],
        ranking: Sequence[str],
    ) -> int:
        by = asked.get("attributeCriteriaComputedBy", "best")
        if by == "sum":
            return sum(
                min(map(self._worth, places)) if places else NOWHERE - 1 for places in where
            )
        after = [each for each in ranking if each in ("proximity", "attribute")]
        if after == ["proximity", "attribute"]:
            by = "minProximity"
        if by == "minProximity" and distances:
            taken = [
                place
                for pair, distance in zip(pairwise(where), distances, strict=True)
                for place in _forming(pair, distance)
            ]
        else:
            taken = [place for places in where for place in places]
        return min(map(self._worth, taken))

    def _worth(self, place: Place) -> int:
        position = min(place.position, 999) if self._ordered[place.attribute] else 0
        return 1000 * self._ranks[place.attribute] + position

    def _sort(self, number: int, sort: str) -> float:
        direction, name = sort.rstrip(")").split("(")
        value = self._records[number].get(name)
        if value is None:
            return float("inf")
        return -float(value) if direction == "desc" else float(value)


Pair = tuple[Sequence[Place], Sequence[Place]]


def _proximity(pair: Pair, at_least: int) -> int:
    return max(at_least, min((_distance(a, b) for a, b in product(*pair)), default=FAR))


def _forming(pair: Pair, distance: int) -> Iterator[Place]:
    """The places of two words that come as close as they do at best; all if none are close."""
    if distance == FAR:
        yield from (*pair[0], *pair[1])
    for a, b in product(*pair):
        if _distance(a, b) <= distance:
            yield from (a, b)


def _distance(a: Place, b: Place) -> int:
    """How many words further on the second stands, one more if it stands before the first."""
    if a.attribute != b.attribute or a == b:
        return FAR  # at one place is one word, which can't be both
    gap = b.position - a.position
    return min(FAR, gap if gap > 0 else 1 - gap)
