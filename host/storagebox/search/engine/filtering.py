"""Filters: which rows one holds for.

A facet filter compares without regard to case, a numeric one to three decimals. An attribute that
a record has several values of matches with any of them; `!=` and NOT hold where nothing matches.
Among a few rows their values are looked at. For many, each single filter's rows of the base are
made a set, a bit a row, and remembered: those who search use the same filters again and again.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine import bitset
from storagebox.search.engine.bitset import Bits
from storagebox.search.engine.layout import OBJECT_ID, TAGS
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.language.filters import And, Between, Facet, Node, Not, Numeric, Or, Tag

_HALF: Final = 0.0005  # numbers are alike when they are to three decimals
_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MANY: Final = 16  # more than one row in so many are told by sets


def holds(snapshot: Snapshot, node: Node, rows: Rows) -> NDArray[np.bool_]:
    """For each of some ascending rows, whether the filter holds for its record."""
    if len(rows) * _MANY < snapshot.base_rows:
        return _holds(snapshot, node, rows)
    in_base = int(np.searchsorted(rows, snapshot.base_rows))
    old, new = rows[:in_base], rows[in_base:]
    found = bitset.among(base_bits(snapshot, node), old)
    return np.concatenate([found, _holds(snapshot, node, new)]) if len(new) else found


def base_bits(snapshot: Snapshot, node: Node) -> Bits:
    """The set of the base's rows for which a filter holds; nobody may write to it.

    Bits behind the last row mean nothing.
    """
    match node:
        case And(parts):
            bits = base_bits(snapshot, parts[0]).copy()
            for part in parts[1:]:
                bits &= base_bits(snapshot, part)
            return bits
        case Or(parts):
            bits = base_bits(snapshot, parts[0]).copy()
            for part in parts[1:]:
                bits |= base_bits(snapshot, part)
            return bits
        case Not(part):
            return ~base_bits(snapshot, part)
        case Facet() | Tag() | Numeric() | Between():
            if isinstance(node, Facet) and node.attribute == OBJECT_ID:
                return bitset.of(snapshot.rows_of([node.value]), snapshot.base_rows)
            sets = snapshot.base.sets
            bits = sets.get(node)
            if bits is None:
                bits = bitset.packed(_members(snapshot, node))
                sets.put(node, bits, bits.nbytes)
            return bits


def _members(snapshot: Snapshot, node: Facet | Tag | Numeric | Between) -> NDArray[np.bool_]:
    """Of each row of the base, dead ones among them, whether a single filter holds for it."""
    base = snapshot.base
    found = np.zeros(snapshot.base_rows, np.bool_)
    if isinstance(node, Facet | Tag):
        at, ids = _values(snapshot, node)
        for each in ids:
            postings = base.values[at]
            if each < len(postings.ptr) - 1:  # else it came with the tail
                found[postings.read(slice(each, each + 1))[0].astype(np.int64)] = True
        return found
    test, is_negated = _test(node)
    column = base.part.numerics.get(node.attribute)
    if column is not None:
        hit = test(column.flat)
        if column.ptr is None:
            found = hit
        else:
            found[np.repeat(np.arange(len(column)), np.diff(column.ptr))[hit]] = True
    return ~found if is_negated else found


def _holds(snapshot: Snapshot, node: Node, rows: Rows) -> NDArray[np.bool_]:
    match node:
        case And(parts):
            result = np.ones(len(rows), np.bool_)
            for part in parts:
                result &= _holds(snapshot, part, rows)
            return result
        case Or(parts):
            result = np.zeros(len(rows), np.bool_)
            for part in parts:
                result |= _holds(snapshot, part, rows)
            return result
        case Not(part):
            return ~_holds(snapshot, part, rows)
        case Facet() | Tag():
            return _has(snapshot, node, rows)
        case Numeric() | Between():
            test, is_negated = _test(node)
            found = _any(snapshot, node.attribute, rows, test)
            return ~found if is_negated else found


def _test(node: Numeric | Between) -> tuple[Callable[[Any], Any], bool]:
    """What one of a record's numbers has to pass; or all have to fail, if the second is true."""
    match node:
        case Between(_, low, high):
            return lambda x: (x >= low) & (x <= high), False
        case Numeric(_, "=" | "!=", number):
            return lambda x: abs(x - number) < _HALF, node.op == "!="
        case Numeric(_, op, number):
            compare = _COMPARE[op]
            return lambda x: compare(x, number), False


def _values(snapshot: Snapshot, node: Facet | Tag) -> tuple[int, list[int]]:
    """A facet's number in the layout, and the ids of the values that will do."""
    attribute = node.attribute if isinstance(node, Facet) else TAGS
    if attribute not in snapshot.layout.facets:
        return 0, []
    at = snapshot.layout.facets.index(attribute)
    names = snapshot.names[at]
    if isinstance(node, Facet):
        return at, names.alike(node.value)
    same = names.same(node.value)
    return at, [] if same is None else [same]


def _has(snapshot: Snapshot, node: Facet | Tag, rows: Rows) -> NDArray[np.bool_]:
    if isinstance(node, Facet) and node.attribute == OBJECT_ID:
        # It may be filtered by without being declared, and its case matters: so says Algolia.
        return np.isin(rows, snapshot.rows_of([node.value]))
    at, ids = _values(snapshot, node)
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
