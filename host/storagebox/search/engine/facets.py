"""How often each value of a facet occurs among some records, and what numbers come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine import bitset
from storagebox.search.engine.bitset import Bits
from storagebox.search.engine.candidates import Spread
from storagebox.search.engine.layout import OBJECT_ID
from storagebox.search.engine.ragged import Ragged, Rows
from storagebox.search.engine.snapshot import Snapshot

_FEW: Final = 32  # values of a facet that are worth a set of rows each, 4 bytes a row together


def counted(snapshot: Snapshot, asked: Sequence[str]) -> tuple[str, ...]:
    """The facets that are counted when `asked` are asked for; "*" is all that may be shown."""
    shown = [
        each.name
        for each in snapshot.layout.settings.attributes_for_faceting
        if not each.filter_only and each.name != OBJECT_ID
    ]
    if "*" in asked:
        return tuple(dict.fromkeys(shown))
    return tuple(name for name in dict.fromkeys(asked) if name in shown)


def counts(snapshot: Snapshot, facet: str, rows: Rows | Spread) -> NDArray[np.int64]:
    """How many of some ascending rows have each value, by the value's id."""
    at = snapshot.layout.facets.index(facet)
    if isinstance(rows, Spread):
        if len(snapshot.base.values[at].ptr) <= _FEW:
            return _count_spread(snapshot, at, rows)
        rows = rows.rows
    old, new = snapshot.base.part.facets[at], snapshot.tail.facets[at]
    if rows is snapshot.all_rows:
        key = ("counts", facet)
        known = snapshot.cache.get(key)
        if known is None:
            known = snapshot.cache[key] = _count(snapshot, at, old, new, rows)
        return known
    return _count(snapshot, at, old, new, rows)


def _count(snapshot: Snapshot, at: int, old: Ragged, new: Ragged, rows: Rows) -> NDArray[np.int64]:
    _, values = snapshot.values(old, new, rows)
    found = np.bincount(values, minlength=len(snapshot.names[at].values))
    found[0] = 0  # of those without a value
    return found


def _count_spread(snapshot: Snapshot, at: int, spread: Spread) -> NDArray[np.int64]:
    """The same by the set of rows that each value is in."""
    sets = snapshot.base.sets
    of_values = sets.get(at)
    if of_values is None:
        of_values = _sets_of_values(snapshot, at)
        sets.put(at, of_values, of_values.nbytes)
    found = np.zeros(len(snapshot.names[at].values), np.int64)
    for each, bits in enumerate(of_values, 1):
        found[each] = bitset.size(spread.matching & bits)
    if len(spread.tail):
        _, values = snapshot.values(
            snapshot.base.part.facets[at], snapshot.tail.facets[at], spread.tail.rows
        )
        found += np.bincount(values, minlength=len(found))
        found[0] = 0
    return found


def _sets_of_values(snapshot: Snapshot, at: int) -> NDArray[np.uint64]:
    """Of each value of a facet, from id 1 on, the set of the base's rows that have it."""
    postings = snapshot.base.values[at]
    made: list[Bits] = []
    for each in range(1, len(postings.ptr) - 1):
        members = np.zeros(snapshot.base_rows, np.bool_)
        members[postings.read(slice(each, each + 1))[0].astype(np.int64)] = True
        made.append(bitset.packed(members))
    return np.array(made)


def listed(
    snapshot: Snapshot, facet: str, found: NDArray[np.int64], most: int, order: str
) -> dict[str, int]:
    """The values that occur, at most `most` of them, most frequent or ("alpha") first in order."""
    values = snapshot.names[snapshot.layout.facets.index(facet)].values
    return {values[each]: int(found[each]) for each in ordered(values, found, most, order)}


def ordered(values: Sequence[str], found: NDArray[np.int64], most: int, order: str) -> list[int]:
    """The ids of the values that occur, as `listed` lists them."""
    ids = np.flatnonzero(found)
    if order == "count" and len(ids) > most > 0:
        last = np.partition(found[ids], len(ids) - most)[len(ids) - most]
        ids = ids[found[ids] >= last]
    if order == "alpha":
        chosen = sorted(ids.tolist(), key=values.__getitem__)
    else:
        chosen = sorted(ids.tolist(), key=lambda each: (-int(found[each]), values[each]))
    return chosen[:most]


def stats(snapshot: Snapshot, facet: str, rows: Rows | Spread) -> Mapping[str, float] | None:
    """The least, greatest, mean and sum of an attribute's numbers; None if it has none."""
    if facet not in snapshot.base.part.numerics and facet not in snapshot.tail.numerics:
        return None
    if isinstance(rows, Spread):
        rows = rows.rows
    old = snapshot.base.part.numerics.get(facet, _empty(snapshot.base_rows))
    new = snapshot.tail.numerics.get(facet, _empty(len(snapshot.tail)))
    _, numbers = snapshot.values(old, new, rows)
    numbers = numbers[~np.isnan(numbers)]
    if not len(numbers):
        return None
    total = float(numbers.sum())
    return {
        "min": _plain(float(numbers.min())),
        "max": _plain(float(numbers.max())),
        "avg": _plain(total / len(numbers)),
        "sum": _plain(total),
    }


def value_of(snapshot: Snapshot, attribute: str, words: tuple[str, ...]) -> str | None:
    """The value of a facet that consists of exactly these words, if there is one."""
    if attribute not in snapshot.layout.facets:
        return None
    at = snapshot.layout.facets.index(attribute)
    values = snapshot.names[at].values
    # Values only ever get more.
    key = ("values by words", at)
    known: tuple[dict[tuple[str, ...], str], int] = snapshot.cache.get(key, ({}, 1))
    by_words, first = known
    if first < len(values):
        tokenizer = snapshot.layout.tokenizer
        for value in values[first:]:
            by_words.setdefault(tuple(tokenizer.words(value)), value)
        snapshot.cache[key] = by_words, len(values)
    return by_words.get(words)


def _empty(rows: int) -> Ragged:
    return Ragged(np.zeros(rows + 1, np.int64), np.zeros(0))


def _plain(number: float) -> float:
    """A whole number without its point."""
    return int(number) if number.is_integer() and abs(number) < 1 << 53 else number
