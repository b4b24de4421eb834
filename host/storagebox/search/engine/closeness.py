"""Proximity, attribute and exact: the criteria that depend on where words stand in a record.

Of each word those places count at which it matches with its fewest typos.

proximity: for each two neighbouring words of the query, how far apart they stand at best: 1 next
to each other, one more when turned round, 8 from there on or in different attributes; summed.
attribute: the best place of any word, 1000 x the attribute's rank + the word's position in it.
exact: how many words are there whole, negated, for smaller is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.candidates import Found
from storagebox.search.engine.layout import POSITION_BITS
from storagebox.search.engine.places import Places
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.slots import Slot
from storagebox.search.engine.snapshot import Snapshot

FAR: Final = 8
NOWHERE: Final = (1 << 31) - 1


def closeness(
    snapshot: Snapshot, found: Found, slots: Sequence[Slot], places: Places
) -> Mapping[str, NDArray[np.int64]]:
    """The three criteria of each row."""
    count = len(found.rows)
    owner, ids, codes = snapshot.tokens(found.rows)
    attribute = np.full(count, NOWHERE, np.int64)
    exact = np.zeros(count, np.int64)
    where: list[tuple[Rows, NDArray[np.int64]]] = []
    for j, slot in enumerate(slots):
        grades = slot.table[ids]
        if not places.alike:
            places.strike(grades, codes)
        hits = np.flatnonzero(grades)
        rows, grades, at = owner[hits], grades[hits], codes[hits]
        best = found.grades[rows, j]
        # Equal but for the odd one that makes it exact: the same number of typos.
        same = (grades + 1) >> 1 == (best + 1) >> 1
        if not same.all():
            hits, rows, at, grades = hits[same], rows[same], at[same], grades[same]
        where.append((rows, at.astype(np.int64)))
        if places.keys is not None:
            _lower(attribute, rows, places.keys[at].astype(np.int64))
        whole = (grades & 1) == 1
        if places.inexact is not None:
            whole &= ~places.inexact[at]
        if len(slots) == 1:
            if places.single_word == "none":
                whole[:] = False
            elif places.single_word == "attribute":
                whole &= _alone(owner, codes, hits)
        exact_rows = np.zeros(count, np.bool_)
        exact_rows[rows[whole]] = True
        exact -= exact_rows
    proximity = np.zeros(count, np.int64)
    for (rows_a, codes_a), (rows_b, codes_b) in pairwise(where):
        proximity += _distance(count, rows_a, codes_a, rows_b, codes_b, places.min_proximity)
    if places.keys is None:
        attribute[:] = 0
    return {"proximity": proximity, "attribute": attribute, "exact": exact}


def _lower(best: NDArray[np.int64], rows: Rows, values: NDArray[np.int64]) -> None:
    """best[rows] = the least of it and `values`; `rows` ascend."""
    if not len(rows):
        return
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    first = rows[starts]
    best[first] = np.minimum(best[first], np.minimum.reduceat(values, starts))


def _alone(owner: Rows, codes: NDArray[np.uint16], hits: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether tokens are the only words of their attribute, or of their element of an array."""
    wide = codes.astype(np.int64)
    place = wide[hits]
    behind = np.minimum(hits + 1, len(wide) - 1)
    followed = (
        (hits + 1 < len(wide)) & (owner[behind] == owner[hits]) & (wide[behind] == place + 1)
    )
    before = np.maximum(hits - 1, 0)
    preceded = (hits > 0) & (owner[before] == owner[hits]) & (wide[before] == place - 1)
    return ~(followed | preceded)


def _distance(
    count: int,
    rows_a: Rows,
    codes_a: NDArray[np.int64],
    rows_b: Rows,
    codes_b: NDArray[np.int64],
    least: int,
) -> NDArray[np.int64]:
    """How close two words come in each row, `least` to FAR; places ascend within rows."""
    best = np.full(count, FAR, np.int64)
    if len(rows_a) and len(rows_b):
        a = (rows_a << 16) | codes_a
        b = (rows_b << 16) | codes_b
        behind = np.searchsorted(b, a, side="right")
        following = b[np.minimum(behind, len(b) - 1)]
        forward = np.where(
            (behind < len(b)) & (following >> POSITION_BITS == a >> POSITION_BITS),
            following - a,
            FAR,
        )
        before = np.searchsorted(b, a, side="left") - 1
        preceding = b[np.maximum(before, 0)]
        backward = np.where(
            (before >= 0) & (preceding >> POSITION_BITS == a >> POSITION_BITS),
            a - preceding + 1,
            FAR,
        )
        _lower(best, rows_a, np.minimum(forward, backward))
    return np.maximum(best, least)
