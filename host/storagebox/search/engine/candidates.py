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

_TOKENS_WORTH: Final = (
    24  # postings that can be spread in the time it takes to read a row's tokens
)


@dataclass(frozen=True, slots=True)
class Found:
    """Ascending rows that match; grades[i, j] is how row i matches slot j, 0 for not at all."""

    rows: Rows
    grades: NDArray[np.uint8]

    def pick(self, chosen: NDArray[np.bool_]) -> Found:
        """Some of the rows."""
        return Found(self.rows[chosen], self.grades[chosen])


def find(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found:
    """The rows that match all slots that aren't optional, and at least one slot.

    `places` says where in a record words count.
    """
    base = _find_in_base(snapshot, slots, places)
    if not len(snapshot.tail):
        return base
    tail = _find_in_tail(snapshot, slots, places)
    return Found(
        np.concatenate([base.rows, tail.rows + snapshot.base_rows]),
        np.concatenate([base.grades, tail.grades]),
    )


def _find_in_base(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found:
    order = sorted(range(len(slots)), key=lambda j: (slots[j].wanted.optional, slots[j].places))
    required = [j for j in order if not slots[j].wanted.optional]
    if not required:
        return _find_any(snapshot, slots, places)
    rows: Rows = np.zeros(0, np.int64)
    columns: dict[int, NDArray[np.uint8]] = {}
    for j in order:
        slot = slots[j]
        if not columns:
            rows, column = _rows_of(snapshot, slot, places)
        elif slot.places > _TOKENS_WORTH * len(rows) or not len(rows):
            column = _look_up(snapshot, slot, rows, places)
        else:
            column = _spread_over(snapshot, slot, rows, places)
        columns[j] = column
        if not slot.wanted.optional and not column.all():
            kept = column > 0
            rows = rows[kept]
            columns = {each: column[kept] for each, column in columns.items()}
    return Found(rows, np.stack([columns[j] for j in range(len(slots))], axis=1))


def _find_any(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found:
    spread: list[NDArray[np.uint8]] = []
    for slot in slots:
        scratch = snapshot.scratch()
        _spread(snapshot, slot, scratch, places)
        spread.append(scratch)
    union = np.zeros(snapshot.base_rows, np.bool_)
    for scratch in spread:
        union |= scratch > 0
    union &= snapshot.alive
    rows = np.flatnonzero(union)
    found = Found(rows, np.stack([scratch[rows] for scratch in spread], axis=1))
    for scratch in spread:
        scratch.fill(0)
        snapshot.give_back(scratch)
    return found


def _rows_of(snapshot: Snapshot, slot: Slot, places: Places) -> tuple[Rows, NDArray[np.uint8]]:
    """The living rows of a slot, ascending, and their grades."""
    scratch = snapshot.scratch()
    _spread(snapshot, slot, scratch, places)
    rows = np.flatnonzero(scratch)
    alive = snapshot.alive[rows]
    if not alive.all():
        rows = rows[alive]
    grades = scratch[rows]
    scratch.fill(0)
    snapshot.give_back(scratch)
    return rows, grades


def _spread(
    snapshot: Snapshot,
    slot: Slot,
    scratch: NDArray[np.uint8],
    places: Places,
) -> None:
    """Write each row's best grade into its byte."""
    postings = snapshot.base.postings
    for how, run in slot.runs(postings):
        rows = postings.rows[run]
        if not places.alike:
            rows = rows[places.good(how, postings.codes[run])]
        scratch[rows] = how


def _spread_over(snapshot: Snapshot, slot: Slot, rows: Rows, places: Places) -> NDArray[np.uint8]:
    scratch = snapshot.scratch()
    _spread(snapshot, slot, scratch, places)
    column = scratch[rows]
    scratch.fill(0)
    snapshot.give_back(scratch)
    return column


def _look_up(snapshot: Snapshot, slot: Slot, rows: Rows, places: Places) -> NDArray[np.uint8]:
    part = snapshot.base.part
    at, owner = part.tokens.where(rows)
    grades = slot.table[part.tokens.flat[at]]
    if not places.alike:
        places.strike(grades, part.codes[at])
    return _best(owner, grades, len(rows))


def _best(owner: Rows, grades: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    """Each row's best grade among those of its tokens, 0 if all are."""
    hits = np.flatnonzero(grades)
    found = grades[hits]
    order = np.argsort(found, kind="stable")[::-1]
    column = np.zeros(rows, np.uint8)
    column[owner[hits[order]]] = found[order]
    return column


def _find_in_tail(snapshot: Snapshot, slots: Sequence[Slot], places: Places) -> Found:
    tail = snapshot.tail
    count = len(tail)
    columns: list[NDArray[np.uint8]] = []
    matching = tail.alive.copy()
    for slot in slots:
        grades = slot.table[tail.tokens.flat]
        if not places.alike:
            places.strike(grades, tail.codes)
        columns.append(_best(snapshot.tail_owner, grades, count))
        if not slot.wanted.optional:
            matching &= columns[-1] > 0
    stacked = np.stack(columns, axis=1)
    matching &= stacked.any(axis=1)
    rows = np.flatnonzero(matching)
    return Found(rows, stacked[rows])
