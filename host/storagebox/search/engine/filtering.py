"""Filters: which rows one holds for.

A facet filter compares without regard to case, a numeric one to three decimals. An attribute that
a record has several values of matches with any of them; `!=` and NOT hold where nothing matches.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.layout import OBJECT_ID, TAGS
from storagebox.search.engine.ragged import Ragged, Rows
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.language.filters import And, Between, Facet, Node, Not, Numeric, Or, Tag

_HALF: Final = 0.0005  # numbers are alike when they are to three decimals
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EMPTY: Final = Ragged(np.zeros(1, np.int64), np.zeros(0))


def holds(snapshot: Snapshot, node: Node, rows: Rows) -> NDArray[np.bool_]:
    """For each of some ascending rows, whether the filter holds for its record."""
    match node:
        case And(parts):
            result = np.ones(len(rows), np.bool_)
            for part in parts:
                result &= holds(snapshot, part, rows)
            return result
        case Or(parts):
            result = np.zeros(len(rows), np.bool_)
            for part in parts:
                result |= holds(snapshot, part, rows)
            return result
        case Not(part):
            return ~holds(snapshot, part, rows)
        case Facet(attribute, value):
            return _has(snapshot, attribute, value, rows, alike=True)
        case Tag(value):
            return _has(snapshot, TAGS, value, rows, alike=False)
        case Numeric(attribute, op, number):
            if op == "=":
                return _any(snapshot, attribute, rows, lambda x: abs(x - number) < _HALF)
            if op == "!=":
                return ~_any(snapshot, attribute, rows, lambda x: abs(x - number) < _HALF)
            compare = _COMPARE[op]
            return _any(snapshot, attribute, rows, lambda x: compare(x, number))
        case Between(attribute, low, high):
            return _any(snapshot, attribute, rows, lambda x: (x >= low) & (x <= high))


def _has(
    snapshot: Snapshot, attribute: str, value: str, rows: Rows, *, alike: bool
) -> NDArray[np.bool_]:
    if attribute == OBJECT_ID:
        # It may be filtered by without being declared, and its case matters: so says Algolia.
        return np.isin(rows, snapshot.rows_of([value]))
    if attribute not in snapshot.layout.facets:
        return np.zeros(len(rows), np.bool_)
    at = snapshot.layout.facets.index(attribute)
    names = snapshot.names[at]
    same = names.same(value)
    ids = names.alike(value) if alike else [] if same is None else [same]
    result = np.zeros(len(rows), np.bool_)
    if ids:
        old, new = snapshot.base.part.facets[at], snapshot.tail.facets[at]
        owner, values = snapshot.values(old, new, rows)
        hit = values == ids[0] if len(ids) == 1 else np.isin(values, ids)
        result[owner[hit]] = True
    return result


def _any(
    snapshot: Snapshot, attribute: str, rows: Rows, test: Callable[[Any], Any]
) -> NDArray[np.bool_]:
    old = snapshot.base.part.numerics.get(attribute)
    new = snapshot.tail.numerics.get(attribute)
    result = np.zeros(len(rows), np.bool_)
    base_rows, tail_rows = snapshot.split(rows)
    for column, part_rows, first in ((old, base_rows, 0), (new, tail_rows, len(base_rows))):
        if column is not None and len(part_rows):
            places, owner = column.where(part_rows)
            result[first + owner[test(column.flat[places])]] = True
    return result
