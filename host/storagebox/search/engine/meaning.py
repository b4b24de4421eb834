"""What a query's text can mean: sequences of wanted words, each with what it costs in typos.

The plain reading is its words one by one, the last (or all, or none) as a beginning. Others join
neighbouring words ("spider man" as "spiderman") or split one ("spiderman" as "spider man") if the
index knows the result, at the cost of a typo each, take compounds apart, or put synonyms of
several words in place. A record matches if it matches any reading, and counts by the one that
ranks it best.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from storagebox.search.engine.budget import Budget
from storagebox.search.engine.compounds import Compounds
from storagebox.search.engine.grades import BEGINS, EXACT, grade
from storagebox.search.engine.phrases import Spoken
from storagebox.search.engine.slots import Meant, Wanted
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.synonyms import MAX_SPAN, Synonyms
from storagebox.search.engine.text import is_unspaced
from storagebox.search.engine.typos import edits_allowed
from storagebox.search.engine.vocabulary import NOTHING_NEAR
from storagebox.search.language.query import Query

MAX_WORDS: Final = 10
"""Words of a query that are looked for; what comes behind them is ignored.

Three characters of scripts without spaces, each a word to the index, count as one.
"""

MAX_READINGS: Final = 32
"""Ways to read a query that are tried, the plain one among them."""

_SPLIT_FIRST: Final = 12  # at most so many in the first


@dataclass(frozen=True, slots=True)
class Reading:
    """Words to be found together, and the typos it costs to read the query so.

    `all_optional`: any word of the query may be absent. What is put in place of some may not: a
    record without it is found by the plain reading. `longer`: by how many words a synonym is
    longer than what it stands for, so that it is none the worse or the better for that; `exact`:
    whether it counts as exact.
    """

    words: tuple[Wanted, ...]
    cost: int = 0
    all_optional: bool = False
    longer: int = 0
    exact: bool = False

    @property
    def spans(self) -> dict[int, int]:
        """How many words of the query each of its words stands for, by the first of these."""
        return {word.at: word.span for word in self.words}


class Reader:
    """Reads one query against one snapshot. `optional` are the places of words that may be absent.

    Stop words that the query is to do without are left out of all readings.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        query: Query,
        synonyms: Synonyms,
        spoken: Spoken,
        budget: Budget,
    ) -> None:
        self._budget = budget
        self._snapshot = snapshot
        self._query = query
        self._synonyms = synonyms
        self._spoken = spoken
        self._words = _looked_for(spoken.words)
        self._plurals = query.plural_languages
        self._compounds = Compounds(snapshot, query, budget)
        self._wanted: dict[int, Wanted] = {}

    def kept(self) -> list[int]:
        """The places of the words that are no stop words to be removed; all if none were left."""
        everything = list(range(len(self._words)))
        languages = self._query.stop_word_languages
        if not languages:
            return everything
        stop_words = self._query.settings.dictionaries.stop_words(languages)
        kept = [
            at
            for at in everything
            if self._words[at] not in stop_words
            # Who types "the" may be about to type "theatre".
            or self._is_prefix(at)
            or self._spoken.in_phrase(at)
        ]
        return kept or everything

    def optional(self) -> frozenset[int]:
        """The places of the words that `optionalWords` names."""
        named = {
            word
            for text in self._query.optional_words
            for word in self._snapshot.layout.tokenizer.words(text)
        }
        return frozenset(at for at, word in enumerate(self._words) if word in named)

    def readings(self, kept: Sequence[int], optional: Collection[int]) -> list[Reading]:
        """The ways to read the words at the places `kept`, the plain one first."""
        plain = [self._word(at, optional=at in optional) for at in kept]
        found = [Reading(tuple(plain))]
        if self._synonyms and self._query.synonyms:
            found += self._with_synonyms(plain)
        found += self._decompounded(plain)
        if self._query.typo_tolerance != "false":
            found += self._joined(plain)
            found += self._split(plain)
        if plain and all(word.optional for word in plain):
            found = [replace(each, all_optional=True) for each in found]
        return found[:MAX_READINGS]

    def _is_prefix(self, at: int) -> bool:
        if self._spoken.in_phrase(at):
            return False
        kind = self._query.query_type
        return kind == "prefixAll" or (kind == "prefixLast" and at == len(self._words) - 1)

    def _word(self, at: int, *, optional: bool) -> Wanted:
        known = self._wanted.get(at)
        if known is None:
            word = self._words[at]
            if self._spoken.in_phrase(at):
                known = Wanted(word, False, at)
            else:
                prefix = self._is_prefix(at)
                edits = self._edits(word)
                snapshot = self._snapshot
                known = Wanted(
                    word,
                    prefix,
                    at,
                    old=snapshot.base.words.near(word, edits, prefix=prefix),
                    new=snapshot.new_words[0].near(word, edits, prefix=prefix),
                    others=self._with_compounds(word, self._others(word), prefix=prefix),
                )
            self._wanted[at] = known
        return replace(known, optional=True) if optional else known

    def _others(self, word: str) -> dict[str, Meant]:
        """Plurals and synonyms of a word."""
        alternatives: list[tuple[str, int, str]] = []
        if self._plurals:
            alternatives += [
                (form, 0, "ignorePlurals")
                for form in self._query.settings.dictionaries.forms(word, self._plurals)
            ]
        if self._synonyms and self._query.synonyms:
            alternatives += [
                (instead.words[0], instead.cost, "singleWordSynonym")
                for instead in self._synonyms.instead((word,))
                if len(instead.words) == 1
            ]
        others: dict[str, Meant] = {}
        for other, cost, kind in alternatives:
            exact = cost == 0 and kind in self._query.alternatives_as_exact
            how = grade(cost, exact=exact)
            if other not in others or how < others[other][0]:
                others[other] = how, len(other)
        return others

    def _with_compounds(
        self, word: str, others: dict[str, Meant], *, prefix: bool
    ) -> dict[str, Meant]:
        """What does for a word, and the compounds that hold it or what is as good as it."""
        found = self._compounds.holding(word, prefix=prefix)
        for other, (how, _) in others.items():
            if how <= BEGINS:
                found |= self._compounds.holding(other, prefix=False)
        return {each: (BEGINS, len(each)) for each in found} | others

    def _edits(self, word: str) -> int:
        """How many typos the query forgives in a word."""
        query = self._query
        if query.typo_tolerance == "false" or word in _folded_words(self._snapshot):
            return 0
        if not query.allow_typos_on_numeric_tokens and word.isdigit():
            return 0
        edits = edits_allowed(word, query.min_word_sizefor1_typo, query.min_word_sizefor2_typos)
        return edits if edits and self._budget.has_time_for_typos() else 0

    def _with_synonyms(self, plain: Sequence[Wanted]) -> list[Reading]:
        """Readings with synonyms where they, or what they stand for, are several words."""
        exact = "multiWordsSynonym" in self._query.alternatives_as_exact
        found: list[Reading] = []
        for first in range(len(plain)):
            for end in range(first + 1, min(len(plain), first + MAX_SPAN) + 1):
                said = tuple(word.text for word in plain[first:end])
                span = plain[end - 1].at + 1 - plain[first].at
                for instead in self._synonyms.instead(said):
                    if len(said) == len(instead.words) == 1:
                        continue
                    meant = tuple(
                        Wanted(
                            word,
                            False,
                            plain[first].at,
                            span,
                            own=EXACT if exact else BEGINS,
                        )
                        for word in instead.words
                    )
                    words = (*plain[:first], *meant, *plain[end:])
                    longer = len(instead.words) - len(said)
                    found.append(Reading(words, instead.cost, longer=longer, exact=exact))
        return found

    def _decompounded(self, plain: Sequence[Wanted]) -> list[Reading]:
        """Each compound as the words that it is made of, and all at once if there are several."""
        instead: dict[int, tuple[Wanted, ...]] = {}
        for place, wanted in enumerate(plain):
            if self._spoken.in_phrase(wanted.at):
                continue
            parts = self._compounds.parts(wanted.text, prefix=wanted.prefix)
            if parts:
                instead[place] = tuple(
                    self._part(part, wanted, prefix=wanted.prefix and number == len(parts))
                    for number, part in enumerate(parts, 1)
                )
        at_once = [[place] for place in instead]
        if len(instead) > 1:
            at_once.insert(0, [*instead])
        return [
            Reading(
                tuple(
                    word
                    for place, wanted in enumerate(plain)
                    for word in (instead[place] if place in chosen else (wanted,))
                ),
                longer=sum(len(instead[place]) - 1 for place in chosen),
            )
            for chosen in at_once
        ]

    def _part(self, part: str, of: Wanted, *, prefix: bool) -> Wanted:
        others = self._with_compounds(part, {}, prefix=prefix)
        return Wanted(part, prefix, of.at, of.span, own=BEGINS, others=others)

    def _joined(self, plain: Sequence[Wanted]) -> list[Reading]:
        spans = [(at, 2) for at in range(len(plain) - 1)]
        if len(plain) > 2:
            spans.append((0, len(plain)))
        found: list[Reading] = []
        for first, span in spans:
            parts = plain[first : first + span]
            if any(self._as_it_stands(part) for part in parts):
                continue
            word = "".join(part.text for part in parts)
            prefix = parts[-1].prefix
            if self._snapshot.knows(word, prefix=prefix):
                stands_for = parts[-1].at + 1 - parts[0].at
                joined = Wanted(word, prefix, parts[0].at, stands_for)
                found.append(Reading((*plain[:first], joined, *plain[first + span :]), 1))
        return found

    def _as_it_stands(self, word: Wanted) -> bool:
        """Whether a word is neither joined nor split: in a phrase, or forgiving no typo."""
        return self._spoken.in_phrase(word.at) or word.text in _folded_words(self._snapshot)

    def _split(self, plain: Sequence[Wanted]) -> list[Reading]:
        """Each word as two, cut where the rarer of them is most frequent."""
        snapshot = self._snapshot
        shortest = max(2, self._query.min_word_sizefor1_typo)
        found: list[Reading] = []
        for place, wanted in enumerate(plain):
            word, prefix = wanted.text, wanted.prefix
            if len(word) < shortest or self._as_it_stands(wanted):
                continue
            best: tuple[int, int] | None = None
            for cut in range(1, min(len(word) - 1, _SPLIT_FIRST) + 1):
                first, second = word[:cut], word[cut:]
                if snapshot.knows(first) and snapshot.knows(second, prefix=prefix):
                    count = min(
                        snapshot.places_of(first), snapshot.places_of(second, prefix=prefix)
                    )
                    if best is None or count > best[0]:
                        best = count, cut
            if best is not None:
                cut = best[1]
                head = replace(
                    wanted,
                    text=word[:cut],
                    prefix=False,
                    optional=False,
                    others={},
                    old=NOTHING_NEAR,
                    new=NOTHING_NEAR,
                )
                rest = replace(head, text=word[cut:], prefix=prefix)
                found.append(Reading((*plain[:place], head, rest, *plain[place + 1 :]), 1))
        return found


def _looked_for(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words that are not beyond MAX_WORDS."""
    thirds = 3 * MAX_WORDS
    for at, word in enumerate(words):
        thirds -= 1 if is_unspaced(word) else 3
        if thirds < 0:
            return words[:at]
    return words


def _folded_words(snapshot: Snapshot) -> frozenset[str]:
    """disableTypoToleranceOnWords, as words of the index."""
    known: frozenset[str] | None = snapshot.cache.get("words without typos")
    if known is None:
        layout = snapshot.layout
        known = snapshot.cache["words without typos"] = frozenset(
            word
            for text in layout.settings.disable_typo_tolerance_on_words
            for word in layout.tokenizer.words(text)
        )
    return known
