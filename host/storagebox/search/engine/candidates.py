"""Which records match: every wanted word that isn't optional, in places that are searched.

The rarest word's postings are read, the others only looked up: in their postings, spread over a
byte a row, when they are few; in the rows' own tokens when there are fewer rows than postings. So
the cost follows the rarest word. The tail's tokens are all looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.places import Places
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.slots import Slot
from storagebox.search.engine.snapshot import Snapshot

_TOKENS_WORTH: Final = 32  # postings spread in the time that reading a row's tokens takes
_SORTED_WORTH: Final = 32  # rows gone through in the time that sorting a posting takes

Grades = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Found:
    """Ascending rows that match; grades[j][i] is how row i matches slot j, 0 for not at all."""

    rows: Rows
    grades: tuple[Grades, ...]

    def pick(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Found:
        """Some of the rows: where `chosen` is true, or at these ascending indices."""
        return Found(self.rows[chosen], tuple(column[chosen] for column in self.grades))


def find(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found:
    """The rows that match all slots that aren't optional, and at least one slot.

    `places` says where in a record words count.
    """
    base = _find_in_base(snapshot, slots, places)
    if not len(snapshot.tail):
        return base
    tail = _find_in_tail(snapshot, slots, places)
    if not len(tail.rows):
        return base
    return Found(
        np.concatenate([base.rows, tail.rows + snapshot.base_rows]),
        tuple(np.concatenate(pair) for pair in zip(base.grades, tail.grades, strict=True)),
    )


def _find_in_base(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found:
    order = sorted(range(len(slots)), key=lambda j: (slots[j].wanted.optional, slots[j].places))
    if slots[order[0]].wanted.optional:
        return _find_any(snapshot, slots, places)
    rows: Rows = np.zeros(0, np.int64)
    columns: dict[int, Grades] = {}
    for j in order:
        slot = slots[j]
        if not columns:
            rows, column = _rows_of(snapshot, slot, places)
        elif not len(rows):
            column = np.zeros(0, np.uint8)
        elif slot.places > _TOKENS_WORTH * len(rows):
            column = _look_up(snapshot, slot, rows, places)
        else:
            scratch = _spread(snapshot, slot, places)
            column = scratch[rows]
            snapshot.give_back(scratch)
        columns[j] = column
        if len(columns) > 1 and not slot.wanted.optional:
            kept = np.flatnonzero(column != 0)
            if len(kept) < len(rows):
                rows = rows[kept]
                columns = {each: column[kept] for each, column in columns.items()}
    return Found(rows, tuple(columns[j] for j in range(len(slots))))


def _find_any(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found:
    spread = [_spread(snapshot, slot, places) for slot in slots]
    union = np.zeros(snapshot.base_rows, np.bool_)
    for scratch in spread:
        union |= scratch != 0
    union &= snapshot.alive
    rows = np.flatnonzero(union)
    found = Found(rows, tuple(scratch[rows] for scratch in spread))
    for scratch in spread:
        snapshot.give_back(scratch)
    return found


def _rows_of(snapshot: Snapshot, slot: Slot, places: Places) -> tuple[Rows, Grades]:
    """The living rows of a slot, ascending, and their grades."""
    if slot.places * _SORTED_WORTH < snapshot.base_rows:
        rows, grades = _sorted(snapshot, slot, places)
    else:
        scratch = _spread(snapshot, slot, places)
        rows = np.flatnonzero(scratch != 0)
        grades = scratch[rows]
        snapshot.give_back(scratch)
    alive = snapshot.alive[rows]
    if not alive.all():
        rows, grades = rows[alive], grades[alive]
    return rows, grades


def _sorted(snapshot: Snapshot, slot: Slot, places: Places) -> tuple[Rows, Grades]:
    """A slot's rows and best grades by sorting its postings."""
    parts: list[Rows] = []
    postings = snapshot.base.postings
    for how, run in slot.runs:
        rows = postings.rows[run].astype(np.int64)
        if not places.alike:
            rows = rows[places.good(how, postings.codes[run])]
        # Grades fit a nibble, and the best of a row comes first.
        parts.append((rows << 4) | how)
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.uint8)
    both = np.concatenate(parts) if len(parts) > 1 else parts[0]
    both.sort()
    rows = both >> 4
    first = np.ones(len(rows), np.bool_)
    np.not_equal(rows[1:], rows[:-1], out=first[1:])
    return rows[first], (both[first] & 15).astype(np.uint8)


def _spread(snapshot: Snapshot, slot: Slot, places: Places) -> Grades:
    """A byte a row: the row's best grade. To be given back."""
    scratch = snapshot.scratch()
    postings = snapshot.base.postings
    for how, run in slot.runs:
        rows = postings.rows[run]
        if not places.alike:
            rows = rows[places.good(how, postings.codes[run])]
        scratch[rows] = how
    return scratch


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
        grades = slot.table[tail.tokens.flat]
        if not places.alike:
            places.strike(grades, tail.codes)
        columns.append(_best(snapshot.tail_owner, grades, len(tail)))
        if not slot.wanted.optional:
            matching &= columns[-1] != 0
    if all(slot.wanted.optional for slot in slots):
        matching &= np.logical_or.reduce([column != 0 for column in columns])
    rows = np.flatnonzero(matching)
    return Found(rows, tuple(column[rows] for column in columns))
