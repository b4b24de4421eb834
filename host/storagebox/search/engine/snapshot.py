"""An index at one moment: what a search looks at from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.bitset import Bits, packed
from storagebox.search.engine.layout import Layout
from storagebox.search.engine.part import Base, Names, Part, Postings, postings_of
from storagebox.search.engine.ragged import Ragged, Rows
from storagebox.search.engine.string_keys import NewString
from storagebox.search.engine.synonyms import Synonyms
from storagebox.search.engine.vocabulary import Words
from storagebox.search.language.attributes import Sort


@dataclass(frozen=True)
class Snapshot:
    """Rows are numbered through: the tail's stand behind the base's.

    `alive` are the base's living rows of this moment. `find` gives a record's row, or -1.
    `tail_strings` are by sort the tail's strings that the base doesn't know, also of rows that
    came after this moment.
    """

    layout: Layout
    base: Base
    alive: NDArray[np.bool_]
    tail: Part
    tail_words: tuple[str, ...]
    names: tuple[Names, ...]
    synonyms: Synonyms
    find: Callable[[str], int]
    tail_strings: tuple[Sequence[NewString], ...] = ()
    cache: dict[Any, Any] = field(default_factory=dict[Any, Any])

    @property
    def base_rows(self) -> int:
        """How many rows the base has, dead ones included."""
        return len(self.base.part)

    @property
    def word_count(self) -> int:
        """Ids of words are below this."""
        return len(self.base.words) + len(self.tail_words)

    @property
    def row_count(self) -> int:
        """How many rows there are, dead ones included."""
        return self.base_rows + len(self.tail)

    @cached_property
    def size(self) -> int:
        """How many records there are."""
        return int(np.count_nonzero(self.alive)) + int(np.count_nonzero(self.tail.alive))

    @cached_property
    def new_words(self) -> tuple[Words, NDArray[np.int64]]:
        """The tail's own words, sorted, and the id of each."""
        order = sorted(range(len(self.tail_words)), key=self.tail_words.__getitem__)
        ids = np.array(order, np.int64) + len(self.base.words)
        return Words([self.tail_words[at] for at in order]), ids

    @cached_property
    def alive_bits(self) -> Bits:
        """The set of the base's living rows."""
        return packed(self.alive)

    @cached_property
    def tail_postings(self) -> Postings:
        """Where the words of the tail stand, by their ids; its rows are numbered from 0."""
        return postings_of(self.tail.tokens, self.word_count, self.tail.codes)

    @cached_property
    def all_rows(self) -> Rows:
        """The rows of all records."""
        return np.concatenate(
            [np.flatnonzero(self.alive), np.flatnonzero(self.tail.alive) + self.base_rows]
        )

    @cached_property
    def data_bytes(self) -> int:
        """What the JSON of all records takes."""
        old, new = self.base.part.sizes[self.alive], self.tail.sizes[self.tail.alive]
        return int(old.sum(dtype=np.int64) + new.sum(dtype=np.int64))

    def split(self, rows: Rows) -> tuple[Rows, Rows]:
        """Ascending rows, the base's and the tail's, the latter numbered from 0."""
        at = int(np.searchsorted(rows, self.base_rows))
        return rows[:at], rows[at:] - self.base_rows

    def tokens(
        self, rows: Rows
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]:
        """All tokens of ascending rows: the index into `rows`, the word's id, the place."""
        old, new = self.split(rows)
        part = self.base.part
        places, owner = part.tokens.where(old)
        ids, codes = part.tokens.flat.take(places), part.codes.take(places)
        if len(new):
            places, new_owner = self.tail.tokens.where(new)
            owner = np.concatenate([owner, new_owner + len(old)])
            ids = np.concatenate([ids, self.tail.tokens.flat[places]])
            codes = np.concatenate([codes, self.tail.codes[places]])
        # numpy turns what isn't int64 into it at every use as an index.
        return owner, ids.astype(np.int64), codes

    def values(self, old: Ragged, new: Ragged, rows: Rows) -> tuple[NDArray[np.int64], Any]:
        """All values of ascending rows in a column: the index into `rows`, and the value."""
        base_rows, tail_rows = self.split(rows)
        places, owner = old.where(base_rows)
        flat = old.flat[places]
        if len(tail_rows):
            places, new_owner = new.where(tail_rows)
            owner = np.concatenate([owner, new_owner + len(base_rows)])
            flat = np.concatenate([flat, new.flat[places]])
        return owner, flat

    def rows_of(self, object_ids: Iterable[str]) -> Rows:
        """The rows of the records with these ids, ascending; of those that there are."""
        rows = sorted(row for each in object_ids if (row := self.find(each)) >= 0)
        return np.array([row for row in rows if self._is_alive(row)], np.int64)

    def _is_alive(self, row: int) -> bool:
        if row < self.base_rows:
            return bool(self.alive[row])
        # A row behind the tail came after this moment.
        return row < self.row_count and bool(self.tail.alive[row - self.base_rows])

    def sort_keys(self, sort: Sort, rows: Rows) -> NDArray[np.float64]:
        """What ascending rows are compared by in a sort, smaller is better, infinity is none.

        One that the layout doesn't have goes by numbers alone.
        """
        if sort in self.layout.sorts:
            return self.sort_column(self.layout.sorts.index(sort), rows)
        keys = np.full(len(rows), np.inf)
        nothing = Ragged(np.zeros(self.row_count + 1, np.int64), np.zeros(0))
        old = self.base.part.numerics.get(sort.attribute, nothing)
        new = self.tail.numerics.get(sort.attribute, nothing)
        owner, numbers = self.values(old, new, rows)
        there = ~np.isnan(numbers)
        # Of several numbers the first counts, so it is written last.
        owner, numbers = owner[there][::-1], numbers[there][::-1]
        keys[owner] = -numbers if sort.descending else numbers
        return keys

    def sort_column(self, at: int, rows: Rows) -> NDArray[np.float64]:
        """The keys of ascending rows in one of the layout's sorts."""
        base_rows, tail_rows = self.split(rows)
        keys = self.base.part.sorts[at][base_rows]
        if len(tail_rows):
            keys = np.concatenate([keys, self.tail.sorts[at][tail_rows]])
        return keys

    def own_order(self, rows: Rows) -> list[NDArray[Any]]:
        """Keys by which rows, in any order, stand in the index's own: what decides a complete tie.

        That order is the sorts of its settings, then the order in which records were last put. The
        base's rows stand in it.
        """
        if not len(rows) or int(rows.max()) < self.base_rows:
            return [rows]
        old = rows < self.base_rows
        keys: list[NDArray[Any]] = []
        for in_base, in_tail in zip(self.base.part.sorts, self.tail.sorts, strict=True):
            column = np.empty(len(rows))
            column[old] = in_base[rows[old]]
            column[~old] = in_tail[rows[~old] - self.base_rows]
            keys.append(column)
        return [*keys, self.numbers(rows)]

    def numbers(self, rows: Rows) -> NDArray[np.uint64]:
        """What the store knows the records of some rows by; rows in any order."""
        both = np.zeros(len(rows), np.uint64)
        old = rows < self.base_rows
        both[old] = self.base.part.numbers[rows[old]]
        both[~old] = self.tail.numbers[rows[~old] - self.base_rows]
        return both

    def ids(self, word: str) -> list[int]:
        """The id of a word, or none."""
        found = self.base.words.find(word)
        if found >= 0:
            return [found]
        new_words, new_ids = self.new_words
        found = new_words.find(word)
        return [int(new_ids[found])] if found >= 0 else []

    def word(self, number: int) -> str:
        """The word with an id."""
        known = len(self.base.words)
        return self.base.words.words[number] if number < known else self.tail_words[number - known]

    def knows(self, word: str, *, prefix: bool = False) -> bool:
        """Whether there is such a word, or with `prefix` one that begins so."""
        if not prefix:
            return bool(self.ids(word))
        new_words, _ = self.new_words
        ranges = self.base.words.beginning(word), new_words.beginning(word)
        return any(low < high for low, high in ranges)

    def places_of(self, word: str, *, prefix: bool = False) -> int:
        """About how often a word occurs, or with `prefix` those that begin so."""
        low, high = self._range(self.base.words, word, prefix=prefix)
        count = self.base.postings.count(low, high)
        if len(self.tail):
            count += int(self._tail_places[low:high].sum())
            words, ids = self.new_words
            low, high = self._range(words, word, prefix=prefix)
            count += int(self._tail_places[ids[low:high]].sum())
        return count

    @staticmethod
    def _range(words: Words, word: str, *, prefix: bool) -> tuple[int, int]:
        """Where the words stand that are `word`, or begin so."""
        if prefix:
            return words.beginning(word)
        place = words.find(word)
        return (place, place + 1) if place >= 0 else (0, 0)

    @cached_property
    def _tail_places(self) -> NDArray[np.int64]:
        """How often each word occurs in the tail, by id."""
        return np.bincount(self.tail.tokens.flat, minlength=self.word_count)
