"""A slow search that ranks every record by Algolia's published rules: what must come out.

It shares nothing with the engine: no tables, no cut. Only what texts come as here is provided for:
words of ASCII letters and digits in attributes that are plain strings, and sorts by numbers. What
all criteria leave equal stands by the index's own sorts, then in the order of the records given.
The rules are those of Algolia's guides to its ranking criteria and to typo tolerance, and of the
descriptions of parameters in its clients.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import Any, Final, NamedTuple

from storagebox.search.language.words import STOP_WORD_LANGUAGES, stop_words
from tests.search.relevance import reference_filters as beside
from tests.search.relevance.reference_words import Tolerance, Vocabulary

CRITERIA: Final = ("typo", "geo", "words", "filters", "proximity", "attribute", "exact", "custom")
FAR: Final = 8  # the most that proximity counts
NOWHERE: Final = 1 << 16
_WORD: Final = re.compile("[a-z0-9]+")


class Place(NamedTuple):
    """Where a word stands: the attribute's number, and the word's position in it."""

    attribute: int
    position: int


class Found(NamedTuple):
    """Where a word is found: with how many typos, whether it is the very word, and the place."""

    typos: int
    whole: bool
    place: Place


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
    """A record's number and its criteria in the order of the ranking, smaller is better."""

    number: int
    key: tuple[float, ...]


class Answer(NamedTuple):
    """How many records match, or groups of them; those to be shown, in order; and the facets."""

    nb_hits: int
    hits: list[str]
    facets: dict[str, dict[str, int]]


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
        let_pass = {at for at, each in enumerate(self._records) if beside.holds(each, asked)}
        for reading in self._readings(_WORD.findall(query.lower()), asked):
            for number in self._matching(reading) & let_pass:
                key = self._key(number, reading, asked)
                if key and (number not in keys or key < keys[number]):
                    keys[number] = key
        fewest = {"min": 1, "strict": 2}.get(str(asked.get("typoTolerance")))
        if fewest and keys:
            # These two put the typos first.
            kept = sorted({key[0] for key in keys.values()})[:fewest]
            keys = {number: key for number, key in keys.items() if key[0] in kept}
        best_first = sorted(keys, key=lambda number: (*keys[number], self._own(number)))
        return [Ranked(number, keys[number]) for number in best_first]

    def answer(self, query: str, **params: Any) -> Answer:
        """What a search answers: hits grouped where `distinct` says so, facets counted."""
        found = [each.number for each in self.search(query, **params)]
        counted = found
        groups = [[number] for number in found]
        attribute = self._settings.get("attributeForDistinct")
        if attribute and (most := int(params.get("distinct", 0))):
            groups = beside.grouped(self._records, found, attribute)
            if params.get("facetingAfterDistinct"):
                counted = [min(group, key=self._own) for group in groups]
            groups = [group[:most] for group in groups]
        return Answer(
            len(groups),
            [str(self._records[number]["objectID"]) for group in groups for number in group],
            beside.counts([self._records[number] for number in counted], params.get("facets", ())),
        )

    def _own(self, number: int) -> tuple[float, ...]:
        """The index's own order: its sorts, then as records were put."""
        ranking = [each for each in self._settings.get("ranking", ()) if "(" in each]
        sorts = [*ranking, *self._settings.get("customRanking", ())]
        return (*(self._sort(number, each) for each in sorts), number)

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
        # What is put in place of words has to be there: else it is the plain reading that matches.
        for first, end in spans:
            text = "".join(words[first:end])
            joined = wanted(text, False, prefixes[end - 1], 0, end - first)
            if joined.costs:
                yield Reading((*plain[:first], joined, *plain[end:]), 1)
        for at, word in enumerate(words):
            cut = self._vocabulary.cut(word, prefix=prefixes[at])
            if cut and len(word) >= tolerance.one_from:
                first_part = wanted(word[:cut], False, False, 0)
                second_part = wanted(word[cut:], False, prefixes[at], 0, 0)
                yield Reading((*plain[:at], first_part, second_part, *plain[at + 1 :]), 1)

    def _matching(self, reading: Reading) -> set[int]:
        """The records that have all words but the optional ones, in whatever attribute."""
        each = [
            set().union(*(self._with_word[word] for word in wanted.costs))
            for wanted in reading.words
        ]
        needed = [
            found for found, wanted in zip(each, reading.words, strict=True) if not wanted.optional
        ]
        if not each:
            return set(range(len(self._records)))
        return set.intersection(*needed) if needed else set[int]().union(*each)

    def _found(self, number: int, wanted: Wanted, asked: Mapping[str, Any]) -> list[Found]:
        """Where a word is found in a record, with the fewest typos it is found with there."""
        restricted = asked.get("restrictSearchableAttributes", self._names)
        no_typos = asked.get("disableTypoToleranceOnAttributes", ())
        no_prefix = asked.get("disablePrefixOnAttributes", ())
        found = [
            Found(wanted.costs[word], word == wanted.text, place)
            for word, places in self._places[number].items()
            if word in wanted.costs
            for place in places
        ]
        counting = [
            each
            for each in found
            if (name := self._names[each.place.attribute]) in restricted
            and not (name in no_typos and each.typos)
            and not (name in no_prefix and not each.typos and not each.whole)
        ]
        fewest = min((each.typos for each in counting), default=0)
        return [each for each in counting if each.typos == fewest]

    def _key(
        self, number: int, reading: Reading, asked: Mapping[str, Any]
    ) -> tuple[float, ...] | None:
        """The criteria of the ranking for one record, in order; None if it doesn't match."""
        found = [self._found(number, wanted, asked) for wanted in reading.words]
        if found and not any(found):
            return None
        if not all(
            each or wanted.optional for each, wanted in zip(found, reading.words, strict=True)
        ):
            return None
        where = [[each.place for each in places] for places in found]
        distances = [_proximity(pair, asked.get("minProximity", 1)) for pair in pairwise(where)]
        ranking = list(asked.get("ranking", CRITERIA))
        if str(asked.get("typoTolerance")) in ("min", "strict"):
            ranking = ["typo", *(each for each in ranking if each != "typo")]
        values = {
            "geo": beside.steps(self._records[number], asked),
            "typo": reading.cost + sum(each[0].typos for each in found if each),
            "words": -sum(
                wanted.spans for each, wanted in zip(found, reading.words, strict=True) if each
            ),
            "proximity": sum(distances),
            "attribute": self._attribute(where, distances, asked, ranking),
            "exact": -self._exact(number, found, asked),
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

    def _exact(
        self, number: int, found: Sequence[Sequence[Found]], asked: Mapping[str, Any]
    ) -> int:
        """How many words are there whole; an only word counts as exactOnSingleWordQuery says."""
        if not found:
            return 0
        inexact = asked.get("disableExactOnAttributes", ())
        exact = [
            [
                each.place
                for each in places
                if each.whole and self._names[each.place.attribute] not in inexact
            ]
            for places in found
        ]
        if len(exact) > 1:
            return sum(map(bool, exact))
        match asked.get("exactOnSingleWordQuery", "attribute"):
            case "none":
                return 0
            case "word":
                return any(not self._says_little(number, place) for place in exact[0])
            case _:
                return any(len(self._text(number, place.attribute)) == 1 for place in exact[0])

    def _says_little(self, number: int, place: Place) -> bool:
        word = self._text(number, place.attribute)[place.position]
        return len(word) < 3 or word in stop_words(STOP_WORD_LANGUAGES)

    def _text(self, number: int, attribute: int) -> list[str]:
        return _WORD.findall(str(self._records[number].get(self._names[attribute], "")).lower())

    def _attribute(
        self,
        where: Sequence[Sequence[Place]],
        distances: Sequence[int],
        asked: Mapping[str, Any],
        ranking: Sequence[str],
    ) -> int:
        if not where:
            return 0
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
