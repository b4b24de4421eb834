"""The tie-break: criteria compared one after the other, the next only among equals.

Every criterion is a number a row, smaller is better: typo, geo, words, filters, proximity,
attribute, exact, the sorts named in `ranking` and `customRanking`. There is no score: rows equal
so far are one class, and a criterion splits classes. Only the classes that the first `count` rows
are in go on to the next criterion. What all criteria leave equal stands in the index's own order
(`Snapshot.own_order`).

Proximity, attribute and exact need the rows' words, so they are computed for a thousand rows, in
the order that decides among equals (the base's rows stand in it), then for a few thousand more,
and so on. What they can be at best is known beforehand; as soon as no row that remains could still
be among the first, the rest needn't be looked at, and the result is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine import bitset
from storagebox.search.engine.bitset import Bits
from storagebox.search.engine.budget import Budget
from storagebox.search.engine.candidates import Found, Spread
from storagebox.search.engine.grades import cost_of
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.unseen import ListedUnseen, SpreadUnseen, Unseen
from storagebox.search.language.attributes import Criterion, Sort

Column = NDArray[Any]
"""float64 for sorts, integers for everything else."""

Ranking = Sequence[Criterion | Sort]
"""What decides, in order; sorts stand in place of "custom"."""

TEXTUAL: Final = ("proximity", "attribute", "exact")
_AT_ONCE: Final = 1024  # rows whose words are looked at in one go, at first
_GROWTH: Final = 4  # and how many times more each time
_FEW: Final = 16  # different numbers that are tried one by one
_ROOM: Final = 1 << 61  # what classes may grow to before they are numbered anew


@dataclass(frozen=True, slots=True)
class Measures:
    """How criteria are computed.

    cheap: one by its name, or None where all rows are equal. textual: proximity, attribute and
    exact at once. best: what each of these is at best; `exact` grows by one for each word of a
    query that isn't whole in a row, whatever else is.
    """

    cheap: Callable[[str, Found], Column | None]
    textual: Callable[[Found], Mapping[str, NDArray[np.int64]]]
    best: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows from best to worst, and each criterion's number for them.

    Rules `promoted` some of the rows, of which `added` don't match.
    """

    rows: Rows
    criteria: Mapping[str, Column]
    added: int = 0
    promoted: frozenset[int] = frozenset()

    def part(self, first: int, end: int) -> Ranked:
        """The rows from number `first` up to `end`."""
        return self.pick(np.arange(first, min(end, len(self.rows))))

    def pick(self, places: NDArray[np.int64]) -> Ranked:
        """Some of the rows, by their numbers in the order."""
        criteria = {name: column[places] for name, column in self.criteria.items()}
        return replace(self, rows=self.rows[places], criteria=criteria)

    @property
    def typos_at_most(self) -> int:
        """The typos of the row that has most."""
        return int(self.criteria["typo"].max(initial=0)) if "typo" in self.criteria else 0


def rank(
    snapshot: Snapshot,
    found: Found | Spread,
    ranking: Ranking,
    measures: Measures,
    count: int,
    budget: Budget,
) -> Ranked:
    """The best `count` rows."""
    run = _Run(snapshot, ranking, measures, count, budget)
    if isinstance(found, Spread):
        return run.of_spread(found)
    return run.of_listed(found)


def name_of(criterion: Criterion | Sort) -> str:
    """What a criterion is called in `ranking`."""
    if isinstance(criterion, Sort):
        return f"{'desc' if criterion.descending else 'asc'}({criterion.attribute})"
    return criterion


def typos(grades: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Typos of all words together, by row."""
    total = cost_of(grades[0])
    for column in grades[1:]:
        total += cost_of(column)
    return total


def _is_order_of_rows(snapshot: Snapshot, ranking: Ranking) -> bool:
    """Whether the sorts in a ranking are those that the base's rows stand in the order of."""
    sorts = tuple(each for each in ranking if isinstance(each, Sort))
    return sorts == snapshot.layout.sorts[: len(sorts)]


class _Run:
    """A tie-break's ranking, taken apart, and all it needs.

    before: what decides before words are looked at. together: from the first criterion that looks
    at words to the last that isn't a sort. sorts: those at the end, which rows' order settles; if
    it does (`settled`): a query may have sorts that the index isn't made for.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        ranking: Ranking,
        measures: Measures,
        count: int,
        budget: Budget,
    ) -> None:
        self.snapshot = snapshot
        self.measures = measures
        self.count = count
        self.budget = budget
        self.settled = _is_order_of_rows(snapshot, ranking)
        end = len(ranking)
        while self.settled and end and isinstance(ranking[end - 1], Sort):
            end -= 1
        first = next((at for at, each in enumerate(ranking[:end]) if each in TEXTUAL), end)
        self.before = ranking[:first]
        self.together = ranking[first:end]
        self.sorts = [each for each in ranking[end:] if isinstance(each, Sort)]
        # Else rows that are equal by their words are told apart by more than their order.
        self.by_words_alone = self.settled and all(each in TEXTUAL for each in self.together)

    def of_listed(self, found: Found, *, in_chunks: bool = True) -> Ranked:
        """The best of some rows; in chunks, only those are looked at that may be among them."""
        classes = _Classes(self, found)
        if not self.count:
            return classes.in_order()
        for criterion in self.before:
            classes.split_by(criterion)
        if in_chunks and self.together and len(classes.found) > _AT_ONCE:
            if self.by_words_alone:
                return self._in_chunks(*classes.apart())
            self.budget.cut |= classes.keep_first(_AT_ONCE * _GROWTH**2)
        for criterion in self.together:
            classes.split_by(criterion)
        if self.settled:
            classes.keep_first(self.count)
        return classes.in_order()

    def of_spread(self, spread: Spread) -> Ranked:
        """The best of so many rows that a byte a row is all that is gone through."""
        nothing = spread.tail.pick(np.zeros(0, np.int64))
        typos_alone = self.count and all(
            each == "typo"
            or (not isinstance(each, Sort) and self.measures.cheap(each, nothing) is None)
            for each in self.before
        )
        if not typos_alone or not self.together or not self.by_words_alone:
            return self.of_listed(spread.listed)
        boundary = spread.matching
        better: Rows | None = None
        if "typo" in self.before:
            without = [each.mistyped for each in spread.dense if each.mistyped is not None]
            for mistyped in without:
                boundary = boundary & ~mistyped
            if without and bitset.size(boundary) < self.count:
                boundary, better = self._by_typos(spread)
        rest = SpreadUnseen(boundary, spread)
        first = rest.take(_AT_ONCE)
        if better is not None:
            first = spread.of(np.union1d(better, first.rows))
        return self._in_chunks(first, rest, spread.tail)

    def _by_typos(self, spread: Spread) -> tuple[Bits, Rows]:
        """The rows with as many typos as the last of the first rows has, and those with fewer."""
        grades = [each.grades for each in spread.dense]
        total = typos(grades)
        left = bitset.members(spread.matching, len(total))
        last = 0
        seen = int(np.count_nonzero(left & (total == 0)))
        while seen < self.count and last < int(total.max(initial=0)):
            last += 1
            seen += int(np.count_nonzero(left & (total == last)))
        return bitset.packed(left & (total == last)), np.flatnonzero(left & (total < last))

    def _in_chunks(self, first: Found, rest: Unseen, tail: Found) -> Ranked:
        """The best of `first`, of those of `rest` that may be better, and of the tail's rows.

        `first` are all of the classes before the one of `rest`, and the first of that one.
        """
        found = first
        size = _AT_ONCE
        while True:
            ranked = self.of_listed(found, in_chunks=False)
            if len(ranked.rows) >= self.count:
                inexact = self._inexact_at_most(ranked, rest.example)
                if inexact < 0:
                    break
                rest.narrow(inexact)
            size *= _GROWTH
            more = rest.take(size)
            if not len(more) or not self.budget.has_time():
                break
            found = found.among(ranked.rows).joined(more)
            order = np.argsort(found.rows)
            found = found.pick(order)
        if not len(tail):
            return ranked
        # The tail's rows stand in no order, so all of them are looked at.
        return self.of_listed(found.among(ranked.rows).joined(tail), in_chunks=False)

    def _inexact_at_most(self, ranked: Ranked, example: Found) -> int:
        """How many words may not be whole in a row that is better than the last of `ranked`.

        It is one of the class of `example`. -1 if there is no such row.
        """
        if not len(example):
            return -1
        for criterion in self.before:
            name = name_of(criterion)
            if name in ranked.criteria:
                mine = self.value_of(criterion, example)
                if mine is not None and ranked.criteria[name][self.count - 1] != mine[0]:
                    return -1
        names = [name_of(each) for each in self.together]
        last = [int(ranked.criteria[name][self.count - 1]) for name in names]
        best = self.measures.best
        for inexact in range(len(example.grades), -1, -1):
            at_best = [best[name] + (inexact if name == "exact" else 0) for name in names]
            if at_best < last:
                return inexact
        return -1

    def value_of(self, criterion: Criterion | Sort, found: Found) -> Column | None:
        """A criterion other than the textual ones, for some rows; None if all are equal."""
        if isinstance(criterion, Sort):
            return self.snapshot.sort_keys(criterion, found.rows)
        return self.measures.cheap(criterion, found)


class _Classes:
    """The rows still in the run, their classes, and what they were judged by.

    `_classes` is None while all rows are equal.
    """

    def __init__(self, run: _Run, found: Found) -> None:
        self._run = run
        self.found = found
        self._classes: NDArray[np.int64] | None = None
        self._columns: dict[str, Column] = {}

    def split_by(self, criterion: Criterion | Sort) -> None:
        """Split classes by a criterion, and keep those that the first rows are in."""
        if not len(self.found):
            return
        name = name_of(criterion)
        if criterion in TEXTUAL:
            if name not in self._columns:
                self._columns.update(self._run.measures.textual(self.found))
            column = self._columns[name]
        else:
            values = self._run.value_of(criterion, self.found)
            if values is None:
                return
            self._columns[name] = values
            column = values
            if isinstance(criterion, Sort):
                column = np.unique(values, return_inverse=True)[1]
        low, high = int(column.min()), int(column.max())
        if low == high:
            return
        count = self._run.count
        if self._classes is None and len(column) > count and high - low < _FEW:
            # All that numpy offers for it is slow where there are few different numbers.
            at_most = low
            while np.count_nonzero(column <= at_most) < count:
                at_most += 1
            if at_most < high:
                kept = np.flatnonzero(column <= at_most)
                self._pick(kept)
                column, high = column[kept], at_most
                if low == high:
                    return
        self._classes = _combined(self._classes, column - low, high - low + 1)
        if len(self._classes) > count:
            last = np.partition(self._classes, count - 1)[count - 1]
            kept = np.flatnonzero(self._classes <= last)
            if len(kept) < len(self._classes):
                self._pick(kept)

    def apart(self) -> tuple[Found, Unseen, Found]:
        """What to look at first, what then in the order of rows, and the tail's rows."""
        in_base = int(np.searchsorted(self.found.rows, self._run.snapshot.base_rows))
        base = self.found.pick(np.arange(in_base))
        tail = self.found.pick(np.arange(in_base, len(self.found)))
        if self._classes is None:
            first, rest = np.arange(_AT_ONCE), np.arange(_AT_ONCE, in_base)
        else:
            classes = self._classes[:in_base]
            last = classes == classes.max(initial=0)
            boundary = np.flatnonzero(last)
            first = np.sort(np.concatenate([np.flatnonzero(~last), boundary[:_AT_ONCE]]))
            rest = boundary[_AT_ONCE:]
        return base.pick(first[first < in_base]), ListedUnseen(base.pick(rest)), tail

    def keep_first(self, count: int) -> bool:
        """Keep the first `count` rows as they stand within classes, and the tail's beside them.

        Whether any had to go.
        """
        rows = len(self.found)
        if rows <= count:
            return False
        in_base = int(np.searchsorted(self.found.rows, self._run.snapshot.base_rows))
        order = np.arange(rows)
        if self._classes is not None:
            order = np.argsort(self._classes, kind="stable")
        first = order[order < in_base][:count]
        if len(first) == in_base:
            return False
        self._pick(np.sort(np.concatenate([first, np.arange(in_base, rows)])))
        return True

    def in_order(self) -> Ranked:
        """The rows by class, and within a class by the sorts at the end."""
        snapshot, rows = self._run.snapshot, self.found.rows
        sorts = self._run.sorts
        for sort in sorts:
            column = self._run.value_of(sort, self.found)
            assert column is not None
            self._columns[name_of(sort)] = column
        keys: list[Column] = []
        if len(rows) and rows[-1] >= snapshot.base_rows:
            keys = snapshot.own_order(rows)
        if self._classes is not None:
            keys.insert(0, self._classes)
        order = np.lexsort(tuple(reversed(keys))) if keys else np.arange(len(rows))
        order = order[: self._run.count]
        columns = {name: column[order] for name, column in self._columns.items()}
        return Ranked(rows[order], columns)

    def _pick(self, places: NDArray[np.int64]) -> None:
        self.found = self.found.pick(places)
        self._columns = {name: column[places] for name, column in self._columns.items()}
        if self._classes is not None:
            self._classes = self._classes[places]


def _combined(classes: NDArray[np.int64] | None, column: Column, span: int) -> NDArray[np.int64]:
    """Classes split by a column of numbers from 0 to `span` - 1."""
    if classes is None:
        return column.astype(np.int64)
    if int(classes.max()) >= _ROOM // span:
        classes = np.unique(classes, return_inverse=True)[1]
    return classes * span + column
