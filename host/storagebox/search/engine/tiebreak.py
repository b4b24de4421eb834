"""The tie-break: criteria compared one after the other, the next only among equals.

Every criterion is a number a row, smaller is better: typo, geo, words, filters, proximity,
attribute, exact, the sorts named in `ranking` and `customRanking`. There is no score. Only the
rows that can still be among the first `count` are taken on to the next criterion, so what is dear
to compute (proximity, attribute and exact need the rows' tokens) is computed for few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.candidates import Found
from storagebox.search.engine.grades import cost_of
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.language.attributes import Criterion, Sort

Column = NDArray[Any]
"""float64 for sorts, int64 for everything else."""

TEXTUAL: Final = frozenset({"proximity", "attribute", "exact"})


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows from best to worst, and each criterion's number for them.

    `cut` says that rows which might have been among them were left out for want of time. Rules
    `promoted` some rows, of which `added` don't match.
    """

    rows: Rows
    criteria: Mapping[str, Column]
    cut: bool
    added: int = 0
    promoted: frozenset[int] = frozenset()


def rank(
    snapshot: Snapshot,
    found: Found,
    ranking: Sequence[Criterion | Sort],
    custom: Sequence[Sort],
    compute: Callable[[str, Found], Column],
    textual: Callable[[Found], Mapping[str, Column]],
    count: int,
    most: int,
) -> Ranked:
    """The best `count` rows.

    `compute(criterion, rows)` gives a cheap criterion, `textual(rows)` the three dear ones at
    once, for at most `most` rows.
    """
    columns: dict[str, Column] = {}
    names: list[str] = []
    classes: NDArray[np.int64] = np.zeros(len(found.rows), np.int64)
    cut = False

    def keep(chosen: NDArray[np.bool_]) -> None:
        nonlocal found, classes, columns
        found = found.pick(chosen)
        classes = classes[chosen]
        columns = {name: column[chosen] for name, column in columns.items()}

    for criterion in _expanded(ranking, custom):
        if isinstance(criterion, Sort):
            name = f"{'desc' if criterion.descending else 'asc'}({criterion.attribute})"
            if len(found.rows) > 2 * count:
                keep(_first_in_order(snapshot, found.rows, classes, count))
            column = snapshot.sort_column(snapshot.layout.sorts.index(criterion), found.rows)
        else:
            name = criterion
            if criterion in TEXTUAL and criterion not in columns:
                if len(found.rows) > most:
                    keep(_first_in_order(snapshot, found.rows, classes, most))
                    cut = True
                columns.update(textual(found))
            column = columns[name] if name in columns else compute(criterion, found)
        if name in names:
            continue
        names.append(name)
        columns[name] = column
        classes = _refined(classes, column)
        if len(classes) > count:
            last = np.partition(classes, count - 1)[count - 1] if count else -1
            if (chosen := classes <= last).all():
                continue
            keep(chosen)
    order = np.lexsort((snapshot.numbers(found.rows), classes))[:count]
    return Ranked(found.rows[order], {name: columns[name][order] for name in columns}, cut)


def _expanded(
    ranking: Sequence[Criterion | Sort], custom: Sequence[Sort]
) -> Sequence[Criterion | Sort]:
    expanded: list[Criterion | Sort] = []
    for each in ranking:
        if each == "custom":
            expanded += custom
        else:
            expanded.append(each)
    return expanded


def _refined(classes: NDArray[np.int64], column: Column) -> NDArray[np.int64]:
    """Classes of rows that are equal so far, in order, split by one more criterion."""
    if not len(column):
        return classes
    low, high = column.min(), column.max()
    if low == high:
        return classes
    if column.dtype.kind == "i" and high - low < 1 << 20 and classes.max() < 1 << 40:
        return classes * (int(high - low) + 1) + (column - low)
    values = np.unique(column, return_inverse=True)[1]
    if classes.max() >= 1 << 30:
        classes = np.unique(classes, return_inverse=True)[1]
    return classes * (int(values.max()) + 1) + values


def _first_in_order(
    snapshot: Snapshot, rows: Rows, classes: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    """Which rows can be the first `count` when equals are in the order of the base's rows.

    Equal rows of the base stand in the order of the sorts that remain; the tail's do not, so all
    of them that are good enough stay.
    """
    last = (
        np.partition(classes, count - 1)[count - 1] if 0 < count <= len(classes) else classes.max()
    )
    better = classes < last
    equal = np.flatnonzero(classes == last)
    room = max(0, count - int(np.count_nonzero(better)))
    in_base = int(np.searchsorted(rows[equal], snapshot.base_rows))
    chosen = better
    chosen[equal[: min(room, in_base)]] = True
    chosen[equal[in_base:]] = True
    return chosen


def typos(found: Found) -> NDArray[np.int64]:
    """Typos of all words together."""
    costs = cost_of(found.grades)
    return np.where(found.grades > 0, costs, 0).sum(axis=1, dtype=np.int64)
