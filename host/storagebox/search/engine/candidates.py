"""Which records match: every wanted word that isn't optional, in places that are searched.

What holds a word is either a list of rows, or, where these are many, a byte for each row of the
base. The rarest word's postings are read; of others only those that are few enough, else the rows'
own tokens are looked at. So the cost follows the rarest word, and where all are frequent, it is a
few passes over a byte a row. What holds a word is remembered: who types goes on to have the words
before. The tail's tokens are put in the order of words when one of it is asked for first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.part import Postings
from storagebox.search.engine.places import Places
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.slots import Run, Slot
from storagebox.search.engine.snapshot import Snapshot

_TOKENS_WORTH: Final = 32  # postings read in the time that looking at a row's tokens takes
_DENSE: Final = 128  # a byte a row is less work than a list of more than one in so many rows
_MANY: Final = 16  # and what is more than one in so many is remembered, and never listed

_FOUR: Final = np.uint32(4)

Grades = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Found:
    """Ascending rows that match; grades[j][i] is how row i matches slot j, 0 for not at all."""

    rows: Rows
    grades: tuple[Grades, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def pick(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Found:
        """Some of the rows: where `chosen` is true, or at these ascending indices."""
        return Found(self.rows[chosen], tuple(column[chosen] for column in self.grades))

    def among(self, rows: Rows) -> Found:
        """Those that are among `rows`, which all match and are in any order."""
        return self.pick(np.searchsorted(self.rows, np.sort(rows)))

    def joined(self, behind: Found) -> Found:
        """These rows and those of another, which are behind them."""
        if not len(behind):
            return self
        return Found(
            np.concatenate([self.rows, behind.rows]),
            tuple(np.concatenate(pair) for pair in zip(self.grades, behind.grades, strict=True)),
        )


@dataclass(frozen=True)
class Spread:
    """So many rows that match that they are told by a byte a row of the base.

    matching: bool by row; grades: uint8 by row, good where it matches. `tail` are the rows behind.
    """

    matching: NDArray[np.bool_]
    grades: tuple[Grades, ...]
    tail: Found

    @cached_property
    def count(self) -> int:
        """How many rows match."""
        return int(np.count_nonzero(self.matching)) + len(self.tail)

    def __len__(self) -> int:
        return self.count

    @cached_property
    def listed(self) -> Found:
        """The same as a list of rows."""
        rows = np.flatnonzero(self.matching)
        return Found(rows, tuple(column[rows] for column in self.grades)).joined(self.tail)


@dataclass(frozen=True, slots=True)
class Holders:
    """Which rows of the base, dead ones among them, hold a word of a slot.

    `rows` and their grades; or None, and a grade for every row, 0 for those that don't.
    """

    rows: Rows | None
    grades: Grades


def find(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found | Spread:
    """The rows that match all slots that aren't optional, and at least one slot.

    `places` says where in a record words count.
    """
    order = sorted(range(len(slots)), key=lambda j: (slots[j].wanted.optional, slots[j].places))
    if slots[order[0]].wanted.optional:
        base: Found | Spread = _any(snapshot, slots, places)
    else:
        base = _all(snapshot, slots, order, places)
    if not len(snapshot.tail):
        return base
    tail = _find_in_tail(snapshot, slots, places)
    if isinstance(base, Spread):
        return Spread(base.matching, base.grades, tail)
    return base.joined(tail)


def _all(
    snapshot: Snapshot, slots: Sequence[Slot], order: Sequence[int], places: Places
) -> Found | Spread:
    """The rows of the base that match each slot, the optional ones apart."""
    first = _holders(snapshot, slots[order[0]], places)
    if first.rows is None:
        held = {j: _holders(snapshot, slots[j], places) for j in order}
        if all(holders.rows is None for holders in held.values()):
            return _all_spread(snapshot, slots, held)
        first = _listed(first)
    assert first.rows is not None
    rows, columns = first.rows, {order[0]: first.grades}
    alive = snapshot.alive[rows]
    if not alive.all():
        rows, columns = rows[alive], {order[0]: first.grades[alive]}
    for j in order[1:]:
        column = _grades_of(snapshot, slots[j], rows, places)
        columns[j] = column
        if not slots[j].wanted.optional:
            kept = np.flatnonzero(column)
            if len(kept) < len(rows):
                rows = rows[kept]
                columns = {each: column[kept] for each, column in columns.items()}
    return Found(rows, tuple(columns[j] for j in range(len(slots))))


def _all_spread(
    snapshot: Snapshot, slots: Sequence[Slot], held: dict[int, Holders]
) -> Found | Spread:
    matching = snapshot.alive.copy()
    for j, holders in held.items():
        if not slots[j].wanted.optional:
            matching &= holders.grades != 0
    grades = tuple(held[j].grades for j in range(len(slots)))
    spread = Spread(matching, grades, Found(_NO_ROWS, (_NO_GRADES,) * len(slots)))
    return spread if len(spread) * _MANY > snapshot.base_rows else spread.listed


def _any(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found:
    """The rows of the base that match any slot."""
    held = [_holders(snapshot, slot, places) for slot in slots]
    union = np.zeros(snapshot.base_rows, np.bool_)
    for holders in held:
        if holders.rows is None:
            union |= holders.grades != 0
        else:
            union[holders.rows] = True
    rows = np.flatnonzero(union & snapshot.alive)
    return Found(rows, tuple(_grades_of(snapshot, slot, rows, places) for slot in slots))


def _grades_of(snapshot: Snapshot, slot: Slot, rows: Rows, places: Places) -> Grades:
    """How some rows match a slot."""
    if not len(rows):
        return _NO_GRADES
    holders = _remembered(snapshot, slot, places)
    if holders is None:
        if slot.places > _TOKENS_WORTH * len(rows):
            return _look_up(snapshot, slot, rows, places)
        holders = _holders(snapshot, slot, places)
    if holders.rows is None:
        return holders.grades[rows]
    column = np.zeros(len(rows), np.uint8)
    if len(holders.rows):
        at = np.searchsorted(holders.rows, rows)
        at[at == len(holders.rows)] = 0
        same = holders.rows[at] == rows
        column[same] = holders.grades[at[same]]
    return column


def _holders(snapshot: Snapshot, slot: Slot, places: Places) -> Holders:
    found = _remembered(snapshot, slot, places)
    if found is None:
        postings = snapshot.base.postings
        is_dense = slot.places * _DENSE > snapshot.base_rows
        if is_dense:
            found = Holders(None, _by_row(postings, slot.runs, snapshot.base_rows, places))
        else:
            found = _sorted(snapshot, slot, places)
        is_dear = not is_dense or slot.places * _MANY > snapshot.base_rows
        if slot.key is not None and places.alike and is_dear:
            size = found.grades.nbytes + (0 if found.rows is None else found.rows.nbytes)
            snapshot.base.holders.put(slot.key, found, size)
    return found


def _remembered(snapshot: Snapshot, slot: Slot, places: Places) -> Holders | None:
    if slot.key is None or not places.alike:
        return None
    return snapshot.base.holders.get(slot.key)


def _listed(holders: Holders) -> Holders:
    rows = np.flatnonzero(holders.grades != 0)
    return Holders(rows, holders.grades[rows])


def _by_row(postings: Postings, runs: Sequence[Run], count: int, places: Places) -> Grades:
    """The best grade of each of `count` rows."""
    grades = np.zeros(count, np.uint8)
    for how, run in runs:
        rows, codes = postings.read(run)
        if not places.alike:
            rows = rows[places.good(how, codes)]
        grades[rows] = how
    return grades


def _sorted(snapshot: Snapshot, slot: Slot, places: Places) -> Holders:
    """The rows and their best grades, by sorting postings."""
    parts: list[NDArray[np.uint32]] = []
    postings = snapshot.base.postings
    for how, run in slot.runs:
        rows, codes = postings.read(run)
        if not places.alike:
            rows = rows[places.good(how, codes)]
        # Grades fit four bits, and the best of a row comes first.
        parts.append((rows << _FOUR) | np.uint32(how))
    if not parts:
        return Holders(_NO_ROWS, _NO_GRADES)
    both = np.concatenate(parts) if len(parts) > 1 else parts[0]
    if not slot.is_one_word:
        both.sort()
    rows = (both >> _FOUR).astype(np.int64)
    first = np.ones(len(rows), np.bool_)
    np.not_equal(rows[1:], rows[:-1], out=first[1:])
    return Holders(rows[first], (both[first] & np.uint32(15)).astype(np.uint8))


def _look_up(snapshot: Snapshot, slot: Slot, rows: Rows, places: Places) -> Grades:
    part = snapshot.base.part
    at, owner = part.tokens.where(rows)
    grades = slot.table[part.tokens.flat[at]]
    if not places.alike:
        places.strike(grades, part.codes[at])
    return _best(owner, grades, len(rows))


def _best(owner: Rows, grades: Grades, rows: int) -> Grades:
    """Each row's best grade among those of its tokens, 0 if all are."""
    column = np.zeros(rows, np.uint8)
    hits = np.flatnonzero(grades != 0)
    if len(hits):
        found = grades[hits]
        owner = owner[hits]
        if found.min() != found.max():
            order = np.argsort(found, kind="stable")[::-1]
            found, owner = found[order], owner[order]
        column[owner] = found
    return column


def _find_in_tail(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found:
    tail = snapshot.tail
    columns: list[Grades] = []
    matching = tail.alive.copy()
    for slot in slots:
        column = _by_row(snapshot.tail_postings, slot.tail_runs, len(tail), places)
        columns.append(column)
        if not slot.wanted.optional:
            matching &= column != 0
            if not matching.any():
                return Found(_NO_ROWS, (_NO_GRADES,) * len(slots))
    if all(slot.wanted.optional for slot in slots):
        matching &= np.logical_or.reduce([column != 0 for column in columns])
    rows = np.flatnonzero(matching)
    return Found(rows + snapshot.base_rows, tuple(column[rows] for column in columns))


_NO_ROWS: Final = np.zeros(0, np.int64)
_NO_GRADES: Final = np.zeros(0, np.uint8)
