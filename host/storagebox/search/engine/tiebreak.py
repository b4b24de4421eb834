"""The tie-break: criteria compared one after the other, the next only among equals.

Every criterion is a number a row, smaller is better: typo, geo, words, filters, proximity,
attribute, exact, the sorts named in `ranking` and `customRanking`. There is no score: rows equal
so far are one class, and a criterion splits classes. Only the classes that the first `count` rows
are in go on to the next criterion.

Proximity, attribute and exact need the rows' words, so they are computed for a few thousand rows
at a time, in the order that decides among equals (the base's rows stand in it). What they can be
at best is known beforehand; as soon as no row that remains could still be among the first, the
rest needn't be looked at, and the result is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.budget import Budget
from storagebox.search.engine.candidates import Found
from storagebox.search.engine.grades import cost_of
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.language.attributes import Criterion, Sort

Column = NDArray[Any]
"""float64 for sorts, integers for everything else."""

TEXTUAL: Final = ("proximity", "attribute", "exact")
_AT_ONCE: Final = 1024  # rows whose words are looked at in one go, at first
_GROWTH: Final = 4  # and how many times more each time
_FEW: Final = 16  # different numbers that are tried one by one
_ROOM: Final = 1 << 61  # what classes may grow to before they are numbered anew


@dataclass(frozen=True, slots=True)
class Measures:
    """How criteria are computed.

    cheap: one by its name, or None where all rows are equal. textual: proximity, attribute and
    exact at once. least, span: what each of these is at best, and how many different numbers it
    can be. inexact: uint8 by row, how many words can't count as exact.
    """

    cheap: Callable[[str, Found], Column | None]
    textual: Callable[[Found], Mapping[str, NDArray[np.int64]]]
    least: Mapping[str, int]
    span: Mapping[str, int]
    inexact: Callable[[Found], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows from best to worst, and each criterion's number for them.

    Rules `promoted` some of the rows, of which `added` don't match.
    """

    rows: Rows
    criteria: Mapping[str, Column]
    added: int = 0
    promoted: frozenset[int] = frozenset()

    @property
    def typos_at_most(self) -> int:
        """The typos of the row that has most."""
        return int(self.criteria["typo"].max(initial=0)) if "typo" in self.criteria else 0


def rank(
    snapshot: Snapshot,
    found: Found,
    ranking: Sequence[Criterion | Sort],
    measures: Measures,
    count: int,
    budget: Budget,
) -> Ranked:
    """The best `count` rows. `ranking` has sorts in place of "custom"."""
    return _Ranking(snapshot, found, measures, count, budget).run(ranking)


def name_of(criterion: Criterion | Sort) -> str:
    """What a criterion is called in `ranking`."""
    if isinstance(criterion, Sort):
        return f"{'desc' if criterion.descending else 'asc'}({criterion.attribute})"
    return criterion


class _Ranking:
    """One run of the tie-break: the rows still in it, their classes, and what they were judged by.

    `_classes` is None while all rows are equal.
    """

    def __init__(
        self, snapshot: Snapshot, found: Found, measures: Measures, count: int, budget: Budget
    ) -> None:
        self._snapshot = snapshot
        self._found = found
        self._measures = measures
        self._count = count
        self._budget = budget
        self._classes: NDArray[np.int64] | None = None
        self._columns: dict[str, Column] = {}

    def run(self, ranking: Sequence[Criterion | Sort]) -> Ranked:
        """Go through the criteria, then put what is left in order."""
        # Sorts at the end are settled by the order that rows stand in.
        end = len(ranking)
        while end and isinstance(ranking[end - 1], Sort):
            end -= 1
        textual = [at for at, each in enumerate(ranking[:end]) if each in TEXTUAL]
        together = [name_of(each) for each in ranking[textual[0] : end]] if textual else []
        for at, criterion in enumerate(ranking[:end]):
            if not len(self._found.rows) or not self._count:
                break
            if textual and at == textual[0]:
                if all(name in TEXTUAL for name in together):
                    self._look_while_needed(together)
                elif len(self._found.rows) > _AT_ONCE * _GROWTH**2:
                    self._pick_first(_AT_ONCE * _GROWTH**2)
                    self._budget.cut = True
                self._look()
            self._split_by(criterion)
        self._pick_first(self._count)
        return self._in_order([each for each in ranking[end:] if isinstance(each, Sort)])

    def _split_by(self, criterion: Criterion | Sort) -> None:
        """Split classes by a criterion, and keep those that the first rows are in."""
        name = name_of(criterion)
        column: Column | None
        if isinstance(criterion, Sort):
            if name in self._columns:
                return
            at = self._snapshot.layout.sorts.index(criterion)
            values = self._snapshot.sort_column(at, self._found.rows)
            self._columns[name] = values
            column = np.unique(values, return_inverse=True)[1]
        elif name in TEXTUAL:
            column = self._columns[name]
        else:
            column = self._measures.cheap(name, self._found)
            if column is None:
                return
            self._columns[name] = column
        low, high = int(column.min()), int(column.max())
        if low == high:
            return
        if self._classes is None and len(column) > self._count and high - low < _FEW:
            # All that numpy offers for it is slow where there are few different numbers.
            at_most = low
            while np.count_nonzero(column <= at_most) < self._count:
                at_most += 1
            if at_most < high:
                kept = np.flatnonzero(column <= at_most)
                self._pick(kept)
                column, high = column[kept], at_most
                if low == high:
                    return
        self._classes = _combined(self._classes, column - low, high - low + 1)
        if len(self._classes) > self._count:
            kept = np.flatnonzero(self._classes <= _nth(self._classes, self._count))
            if len(kept) < len(self._classes):
                self._pick(kept)

    def _look(self) -> None:
        """Compute the textual criteria of all rows."""
        if "proximity" not in self._columns:
            self._columns.update(self._measures.textual(self._found))

    def _look_while_needed(self, names: Sequence[str]) -> None:
        """Keep rows whose words were looked at and that have the first ones among them.

        `names` are the textual criteria in order; nothing but the rows' order follows them.
        """
        count = len(self._found.rows)
        if count <= _AT_ONCE:
            return
        in_base = int(np.searchsorted(self._found.rows, self._snapshot.base_rows))
        order = self._in_classes()
        order_in_base = order[order < in_base]
        inexact = self._measures.inexact(self._found)
        seen: list[NDArray[np.int64]] = []
        keys: list[NDArray[np.int64]] = []
        columns: list[Mapping[str, NDArray[np.int64]]] = []
        # The tail's rows stand in no order, so all of them are looked at.
        chunk = np.sort(np.concatenate([order_in_base[:_AT_ONCE], np.arange(in_base, count)]))
        rest = order_in_base[_AT_ONCE:]
        size = _AT_ONCE
        while True:
            picked = self._found.pick(chunk)
            measured = self._measures.textual(picked)
            seen.append(chunk)
            columns.append(measured)
            keys.append(self._keys(names, chunk, measured))
            if not len(rest):
                break
            of_base = np.concatenate(
                [key[chunk < in_base] for key, chunk in zip(keys, seen, strict=True)]
            )
            if len(of_base) > self._count:
                last = int(_nth(of_base, self._count))
                rest = rest[self._keys_at_best(names, rest, inexact) < last]
                if not len(rest):
                    break
            if not self._budget.has_time():
                break
            size *= _GROWTH
            chunk, rest = np.sort(rest[:size]), rest[size:]
        places = np.concatenate(seen)
        order = np.argsort(places)
        self._pick(places[order])
        for name in TEXTUAL:
            self._columns[name] = np.concatenate([each[name] for each in columns])[order]

    def _in_classes(self) -> NDArray[np.int64]:
        """The places of rows by class, and within a class as rows stand."""
        if self._classes is None:
            return np.arange(len(self._found.rows))
        return np.argsort(self._classes, kind="stable")

    def _keys(
        self, names: Sequence[str], places: NDArray[np.int64], columns: Mapping[str, Column]
    ) -> NDArray[np.int64]:
        """The classes that rows at some places have when split by textual criteria."""
        least, span = self._measures.least, self._measures.span
        keys = np.zeros(len(places), np.int64) if self._classes is None else self._classes[places]
        for name in names:
            keys = keys * span[name] + (columns[name] - least[name])
        return keys

    def _keys_at_best(
        self, names: Sequence[str], places: NDArray[np.int64], inexact: NDArray[np.uint8]
    ) -> NDArray[np.int64]:
        """What `_keys` can be at best, for all that is known without looking at words."""
        span = self._measures.span
        weight = 1
        whole = 1
        for name in reversed(names):
            if name == "exact":
                weight = whole
            whole *= span[name]
        keys = inexact[places].astype(np.int64) * (weight if "exact" in names else 0)
        return keys if self._classes is None else self._classes[places] * whole + keys

    def _pick_first(self, count: int) -> None:
        """Keep the first `count` rows as they stand within classes, and the tail's beside them."""
        rows = len(self._found.rows)
        if rows <= count:
            return
        in_base = int(np.searchsorted(self._found.rows, self._snapshot.base_rows))
        order = self._in_classes()
        first = order[order < in_base][:count]
        if len(first) + rows - in_base < rows:
            self._pick(np.sort(np.concatenate([first, np.arange(in_base, rows)])))

    def _pick(self, places: NDArray[np.int64]) -> None:
        self._found = self._found.pick(places)
        self._columns = {name: column[places] for name, column in self._columns.items()}
        if self._classes is not None:
            self._classes = self._classes[places]

    def _in_order(self, sorts: Sequence[Sort]) -> Ranked:
        snapshot, rows = self._snapshot, self._found.rows
        for sort in sorts:
            name = name_of(sort)
            if name not in self._columns:
                self._columns[name] = snapshot.sort_column(snapshot.layout.sorts.index(sort), rows)
        keys: list[Column] = []
        if len(rows) and rows[-1] >= snapshot.base_rows:
            keys = [self._columns[name_of(sort)] for sort in sorts]
            keys.append(snapshot.numbers(rows))
        if self._classes is not None:
            keys.insert(0, self._classes)
        order = np.lexsort(tuple(reversed(keys))) if keys else np.arange(len(rows))
        order = order[: self._count]
        return Ranked(
            rows[order],
            {name: column[order] for name, column in self._columns.items()},
        )


def _combined(classes: NDArray[np.int64] | None, column: Column, span: int) -> NDArray[np.int64]:
    """Classes split by a column of numbers from 0 to `span` - 1."""
    if classes is None:
        return column.astype(np.int64)
    if int(classes.max()) >= _ROOM // span:
        classes = np.unique(classes, return_inverse=True)[1]
    return classes * span + column


def _nth(values: NDArray[Any], count: int) -> Any:
    """The `count`-th smallest value."""
    return np.partition(values, count - 1)[count - 1]


def typos(found: Found) -> NDArray[np.uint8]:
    """Typos of all words together."""
    total = np.zeros(len(found.rows), np.uint8)
    for column in found.grades:
        total += cost_of(np.maximum(column, 1))
    return total
