"""Which records match: every wanted word that isn't optional, in places that are searched.

What holds a word is either a list of rows, or, where these are many, a byte for each row of the
base. The rarest word's postings are read; of others only those that are few enough, else the rows'
own tokens are looked at. So the cost follows the rarest word, and where all are frequent, it is a
few passes over a bit a row. What holds a word is remembered: who types goes on to have the words
before. The tail's tokens are put in the order of words when one of it is asked for first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine import bitset
from storagebox.search.engine.bitset import Bits
from storagebox.search.engine.grades import BEGINS
from storagebox.search.engine.part import Postings
from storagebox.search.engine.places import Places
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.slots import Run, Slot
from storagebox.search.engine.snapshot import Snapshot

_TOKENS_WORTH: Final = 32  # postings read in the time that looking at a row's tokens takes
_DENSE: Final = 128  # a byte a row is less work than a list of more than one in so many rows
_MANY: Final = 16  # and what is more than one in so many is remembered
_LISTED: Final = 128  # what matches is listed where it isn't more than one in so many

_FOUR: Final = np.uint32(4)
_WORST: Final = 255  # no grade

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


@dataclass(frozen=True, slots=True)
class Holders:
    """Rows of the base, dead ones among them, that hold a word of a slot; their grades."""

    rows: Rows
    grades: Grades


@dataclass(frozen=True, slots=True)
class Dense:
    """The same where these are many: a grade for every row, 0 for those that don't.

    `held` are the rows that do, `mistyped` those that only do with typos; None if none do.
    """

    grades: Grades
    held: Bits
    mistyped: Bits | None

    @property
    def nbytes(self) -> int:
        """What it takes."""
        bits = self.held.nbytes * (1 if self.mistyped is None else 2)
        return self.grades.nbytes + bits


@dataclass(frozen=True)
class Spread:
    """So many rows that match that they are told by a bit a row of the base, `matching`.

    dense: by slot what holds it. `tail` are the rows behind.
    """

    matching: Bits
    dense: tuple[Dense, ...]
    tail: Found

    @cached_property
    def count(self) -> int:
        """How many rows match."""
        return bitset.size(self.matching) + len(self.tail)

    def __len__(self) -> int:
        return self.count

    @cached_property
    def rows(self) -> Rows:
        """The rows as a list."""
        rows = bitset.rows(self.matching)
        return np.concatenate([rows, self.tail.rows]) if len(self.tail) else rows

    @cached_property
    def listed(self) -> Found:
        """The same as a list of rows."""
        return self.of(bitset.rows(self.matching)).joined(self.tail)

    def of(self, rows: Rows) -> Found:
        """Some of the rows of the base."""
        return Found(rows, tuple(each.grades[rows] for each in self.dense))

    def both(self, bits: Bits, tail: NDArray[np.bool_]) -> Spread | Found:
        """Those that are in a set as well, or where `tail` is true."""
        return _spread_or_listed(Spread(self.matching & bits, self.dense, self.tail.pick(tail)))


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
        return Spread(base.matching, base.dense, tail)
    return base.joined(tail)


def _all(
    snapshot: Snapshot, slots: Sequence[Slot], order: Sequence[int], places: Places
) -> Found | Spread:
    """The rows of the base that match each slot, the optional ones apart."""
    first = _holders(snapshot, slots[order[0]], places)
    if isinstance(first, Dense):
        held = {j: _holders(snapshot, slots[j], places) for j in order}
        dense = [each for j in range(len(slots)) if isinstance(each := held[j], Dense)]
        if len(dense) == len(slots):
            return _all_spread(snapshot, slots, dense)
        first = _listed(first)
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
    snapshot: Snapshot, slots: Sequence[Slot], dense: Sequence[Dense]
) -> Found | Spread:
    matching = snapshot.alive_bits.copy()
    for slot, each in zip(slots, dense, strict=True):
        if not slot.wanted.optional:
            matching &= each.held
    nothing = Found(_NO_ROWS, (_NO_GRADES,) * len(slots))
    return _spread_or_listed(Spread(matching, tuple(dense), nothing))


def _spread_or_listed(spread: Spread) -> Spread | Found:
    is_dense = (spread.count - len(spread.tail)) * _LISTED > len(spread.matching) * bitset.WORD
    return spread if is_dense else spread.listed


def _any(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found:
    """The rows of the base that match any slot."""
    held = [_holders(snapshot, slot, places) for slot in slots]
    union = np.zeros(snapshot.base_rows, np.bool_)
    for holders in held:
        if isinstance(holders, Dense):
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
    if isinstance(holders, Dense):
        return holders.grades[rows]
    column = np.zeros(len(rows), np.uint8)
    if len(holders.rows):
        at = np.searchsorted(holders.rows, rows)
        at[at == len(holders.rows)] = 0
        same = holders.rows[at] == rows
        column[same] = holders.grades[at[same]]
    return column


def _holders(snapshot: Snapshot, slot: Slot, places: Places) -> Holders | Dense:
    found = _remembered(snapshot, slot, places)
    if found is None:
        is_dense = slot.places * _DENSE > snapshot.base_rows
        if is_dense:
            found = _dense(snapshot, slot, places)
        else:
            found = _sorted(snapshot, slot, places)
        is_dear = not is_dense or slot.places * _MANY > snapshot.base_rows
        if slot.key is not None and places.alike and is_dear:
            if isinstance(found, Dense):
                size = found.nbytes
            else:
                size = found.grades.nbytes + found.rows.nbytes
            snapshot.base.holders.put(slot.key, found, size)
    return found


def _remembered(snapshot: Snapshot, slot: Slot, places: Places) -> Holders | Dense | None:
    if slot.key is None or not places.alike:
        return None
    return snapshot.base.holders.get(slot.key)


def _listed(dense: Dense) -> Holders:
    rows = bitset.rows(dense.held)
    return Holders(rows, dense.grades[rows])


def _dense(snapshot: Snapshot, slot: Slot, places: Places) -> Dense:
    grades = _by_row(snapshot.base.postings, slot.runs, snapshot.base_rows, places)
    # The runs' worst grades come first.
    has_typos = bool(slot.runs) and slot.runs[0][0] > BEGINS
    mistyped = bitset.packed(grades > BEGINS) if has_typos else None
    return Dense(grades, bitset.packed(grades != 0), mistyped)


def _by_row(postings: Postings, runs: Sequence[Run], count: int, places: Places) -> Grades:
    """The best grade of each of `count` rows."""
    grades = np.zeros(count, np.uint8)
    for how, run in runs:
        rows, codes = postings.read(run)
        if not places.alike:
            rows = rows[places.good(how, codes)]
        # numpy is more than twice as fast with the indices it uses itself.
        grades[rows.astype(np.int64)] = how
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
    grades = slot.table[part.tokens.flat[at].astype(np.int64)]
    if not places.alike:
        places.strike(grades, part.codes[at])
    return _best(owner, grades, len(rows))


def _best(owner: Rows, grades: Grades, rows: int) -> Grades:
    """Each row's best grade among those of its tokens, 0 if all are."""
    hits = np.flatnonzero(grades)
    column = np.full(rows, _WORST, np.uint8)
    np.minimum.at(column, owner[hits], grades[hits])
    column[column == _WORST] = 0
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
