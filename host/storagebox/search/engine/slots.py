"""A query's words: for each, which words of the index will do for it, and how well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.grades import BEGINS, EXACT
from storagebox.search.engine.layout import COMPOUND
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.vocabulary import NOTHING_NEAR, Near

Meant = tuple[int, int]
"""The grade of a word, and how many of its characters are what was meant."""

Run = tuple[int, "slice | NDArray[np.int64]"]
"""A grade, and the words that have it: from one up to another, or some ids."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One word as a query means it.

    `own` is the grade of `text` itself, 0 if it won't do; if `prefix`, whatever begins with it
    will. `old` and `new` are words of the base and of the tail with typos, `others` further
    ones, some of them behind COMPOUND. `at` is the first word of the query it stands for and
    `span` how many it stands for.
    """

    text: str
    prefix: bool
    at: int
    span: int = 1
    optional: bool = False
    own: int = EXACT
    old: Near = NOTHING_NEAR
    new: Near = NOTHING_NEAR
    others: Mapping[str, Meant] = field(default_factory=dict[str, Meant])

    def match(self, word: str) -> Meant:
        """How a word of a record matches; (0, 0) if it doesn't."""
        if word == self.text and self.own:
            return self.own, len(word)
        best = (BEGINS, len(self.text)) if self.prefix and word.startswith(self.text) else (0, 0)
        found = [self.old.meant.get(word), self.new.meant.get(word)]
        if self.others:
            found += self.others.get(word), self.others.get(COMPOUND + word)
        for other in found:
            if other is not None and (best[0] == 0 or other[0] < best[0]):
                best = other
        return best


class Slot:
    """A wanted word in the terms of one snapshot."""

    def __init__(self, snapshot: Snapshot, wanted: Wanted) -> None:
        self.wanted = wanted
        self._snapshot = snapshot
        postings = snapshot.base.postings
        ptr = postings.ptr
        self.low = self.high = 0
        if wanted.prefix:
            self.low, self.high = snapshot.base.words.beginning(wanted.text)
        # What its words in the base are told by; those that synonyms add may change.
        self.key: tuple[str, bool, int, int] | None = None
        if not wanted.others:
            self.key = wanted.text, wanted.prefix, wanted.own, wanted.old.edits
        # By grade, best last, words of the base and of the tail.
        self._single: list[tuple[int, list[int]]] = self._singled()
        old = wanted.old.places
        self.places = postings.count(self.low, self.high)
        self.places += int((ptr[old + 1] - ptr[old]).sum()) if len(old) else 0
        known = len(snapshot.base.words)
        for _, ids in self._single:
            self.places += sum(postings.count(each, each + 1) for each in ids if each < known)

    def _singled(self) -> list[tuple[int, list[int]]]:
        snapshot, wanted = self._snapshot, self.wanted
        by_grade: dict[int, list[int]] = {}
        for word, (how, _) in wanted.others.items():
            for each in snapshot.ids(word):
                by_grade.setdefault(how, []).append(each)
        if wanted.own:
            for each in snapshot.ids(wanted.text):
                by_grade.setdefault(wanted.own, []).append(each)
        return sorted(by_grade.items(), reverse=True)

    @cached_property
    def table(self) -> NDArray[np.uint8]:
        """The grade of every word, by its id; 0 for those that won't do."""
        snapshot, wanted = self._snapshot, self.wanted
        table = np.zeros(snapshot.word_count, np.uint8)
        table[wanted.old.places] = wanted.old.grades
        if snapshot.tail_words:
            new_words, new_ids = snapshot.new_words
            table[new_ids[wanted.new.places]] = wanted.new.grades
            if wanted.prefix:
                low, high = new_words.beginning(wanted.text)
                table[new_ids[low:high]] = BEGINS
        table[self.low : self.high] = BEGINS
        for how, ids in self._single:
            for each in ids:
                if not 0 < table[each] < how:
                    table[each] = how
        return table

    @cached_property
    def has_new(self) -> bool:
        """Whether any word that only the tail has will do."""
        known = len(self._snapshot.base.words)
        return bool(self._snapshot.tail_words) and bool(self.table[known:].any())

    @property
    def empty(self) -> bool:
        """Whether no word of the index will do."""
        return self.places == 0 and not self.has_new

    @cached_property
    def is_one_word(self) -> bool:
        """Whether one word of the base is all that will do, so that its rows are in order."""
        return (
            len(self.runs) == 1 and self.high - self.low <= 1 and len(self.wanted.old.places) < 2
        )

    @cached_property
    def runs(self) -> list[Run]:
        """Its words in the base, best grade last."""
        found: list[Run] = [*_near_runs(self.wanted.old)]
        if self.high > self.low:
            found.append((BEGINS, slice(self.low, self.high)))
        known = len(self._snapshot.base.words)
        for how, ids in self._single:
            for each in ids:
                if each < known:
                    found.append((how, slice(each, each + 1)))
        if self.wanted.others:
            found.sort(key=lambda run: -run[0])
        return found

    @cached_property
    def tail_runs(self) -> list[Run]:
        """All its words, those that only the tail has among them, best grade last."""
        wanted = self.wanted
        found: list[Run] = [*_near_runs(wanted.old)]
        if self._snapshot.tail_words:
            new_words, new_ids = self._snapshot.new_words
            found += [(how, new_ids[places]) for how, places in _near_runs(wanted.new)]
            if wanted.prefix:
                found.append((BEGINS, new_ids[slice(*new_words.beginning(wanted.text))]))
        if self.high > self.low:
            found.append((BEGINS, slice(self.low, self.high)))
        found += [(how, slice(each, each + 1)) for how, ids in self._single for each in ids]
        found.sort(key=lambda run: -run[0])
        return found


def _near_runs(near: Near) -> list[tuple[int, NDArray[np.int64]]]:
    """Words some typos away, by grade."""
    if not len(near.places):
        return []
    # The grades descend; each stretch of equal ones is a run.
    ends = np.flatnonzero(near.grades[1:] != near.grades[:-1]) + 1
    return [
        (int(near.grades[first]), near.places[first:end])
        for first, end in zip([0, *ends], [*ends, len(near.grades)], strict=True)
    ]
