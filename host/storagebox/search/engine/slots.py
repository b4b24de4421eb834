"""A query's words: for each, which words of the index will do for it, and how well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.grades import BEGINS, EXACT
from storagebox.search.engine.part import Postings
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Wanted:
    """One word as a query means it.

    `own` is the grade of `text` itself, 0 if it won't do; `others`: word -> (grade, how many of
    its characters are meant), besides `text` itself and, if `prefix`, whatever begins with it.
    `at` is the first word of the query it stands for and `span` how many it stands for.
    """

    text: str
    prefix: bool
    at: int
    span: int = 1
    optional: bool = False
    own: int = EXACT
    others: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    def match(self, word: str) -> tuple[int, int]:
        """The grade of a word of a record, and how many of its characters are meant."""
        if word == self.text and self.own:
            return self.own, len(word)
        best = (BEGINS, len(self.text)) if self.prefix and word.startswith(self.text) else (0, 0)
        other = self.others.get(word)
        if other is not None and (best[0] == 0 or other[0] < best[0]):
            return other
        return best


class Slot:
    """A wanted word in the terms of one snapshot: ids of words, by grade, best last."""

    def __init__(self, snapshot: Snapshot, wanted: Wanted) -> None:
        self.wanted = wanted
        words = snapshot.base.words
        new_words, new_ids = snapshot.new_words
        by_grade: dict[int, list[int]] = {}
        for word, (how, _) in wanted.others.items():
            _add(by_grade, how, snapshot.ids(word))
        if wanted.own:
            _add(by_grade, wanted.own, snapshot.ids(wanted.text))
        self.low = self.high = 0
        new_beginning: NDArray[np.int64] = np.zeros(0, np.int64)
        if wanted.prefix:
            self.low, self.high = words.beginning(wanted.text)
            low, high = new_words.beginning(wanted.text)
            new_beginning = new_ids[low:high]
        # Grades from worst to best, so that the best of a row is written last.
        self.graded: list[tuple[int, Rows]] = [
            (how, np.array(sorted(by_grade[how]), np.int64))
            for how in sorted(by_grade, reverse=True)
        ]
        self.table = np.zeros(snapshot.word_count, np.uint8)
        for how, ids in self.graded:
            if how > BEGINS:
                self.table[ids] = how
        self.table[self.low : self.high] = BEGINS
        self.table[new_beginning] = BEGINS
        for how, ids in self.graded:
            if how <= BEGINS:
                self.table[ids] = how
        self.graded = [(how, ids[ids < len(words)]) for how, ids in self.graded]
        self._has_new = bool(self.table[len(words) :].any())
        postings = snapshot.base.postings
        self.places = postings.count(self.low, self.high) + sum(
            int((postings.ptr[ids + 1] - postings.ptr[ids]).sum()) for _, ids in self.graded
        )

    @property
    def empty(self) -> bool:
        """Whether no word of the index will do."""
        return self.places == 0 and not self._has_new

    def runs(self, postings: Postings) -> Iterable[tuple[int, slice | NDArray[np.int64]]]:
        """Where in the postings the places of its words stand, worst grade first."""
        beginning = False
        for how, ids in self.graded:
            if how <= BEGINS and not beginning:
                beginning = True
                if self.high > self.low:
                    yield BEGINS, postings.within(self.low, self.high)
            if len(ids) == 1:
                first = int(ids[0])
                yield how, postings.within(first, first + 1)
            elif len(ids):
                yield how, postings.of(ids)
        if not beginning and self.high > self.low:
            yield BEGINS, postings.within(self.low, self.high)


def _add(by_grade: dict[int, list[int]], how: int, ids: list[int]) -> None:
    if ids:
        by_grade.setdefault(how, []).extend(ids)
