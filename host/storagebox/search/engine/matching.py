"""Everything that matches a query: by its words in any reading, and by all that filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine import bitset, phrases
from storagebox.search.engine.budget import Budget
from storagebox.search.engine.candidates import Found, Grades, Spread, find
from storagebox.search.engine.filtering import base_bits, holds
from storagebox.search.engine.geo import (
    NOWHERE,
    Distances,
    automatic_radius_m,
    distances,
    within_areas,
)
from storagebox.search.engine.meaning import Reader, Reading
from storagebox.search.engine.phrases import Spoken
from storagebox.search.engine.places import Places, places_of
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.slots import Slot, Wanted
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.engine.synonyms import Synonyms
from storagebox.search.engine.tiebreak import typos
from storagebox.search.language.query import Query

_DEMANDING_FROM: Final = 4  # words, all optional, from which many results make more of them needed
_MANY: Final = 1000
_FIVES_FROM: Final = 10
_REMOVED: Final = 5  # words at most that are taken away when nothing matches


@dataclass(frozen=True, slots=True)
class Matched:
    """The rows that match one reading of the query."""

    reading: Reading
    slots: tuple[Slot, ...]
    found: Found | Spread

    def listed(self) -> Found:
        """The rows as a list."""
        return self.found.listed if isinstance(self.found, Spread) else self.found


@dataclass(frozen=True)
class Matches:
    """What matches a query, in an index of `row_count` rows.

    `removed` are the places of the words that had to be taken away for anything to match.
    `around`: how far the matching records are, for a query around a point; `radius` in metres is
    the automatic one, if the query left it to us.
    """

    spoken: Spoken
    places: Places
    row_count: int
    matched: tuple[Matched, ...]
    removed: tuple[int, ...] = ()
    around: Distances | None = None
    radius: int | None = None

    @cached_property
    def count(self) -> int:
        """How many rows match."""
        if len(self.matched) < 2:
            return len(self.matched[0].found) if self.matched else 0
        return int(np.count_nonzero(self._marks))

    @cached_property
    def rows(self) -> Rows:
        """All rows that match, ascending."""
        if len(self.matched) < 2:
            return self.matched[0].found.rows if self.matched else np.zeros(0, np.int64)
        return np.flatnonzero(self._marks)

    @property
    def spread(self) -> Spread | None:
        """What matches, if one reading found so much that it is told by sets."""
        found = self.matched[0].found if len(self.matched) == 1 else None
        return found if isinstance(found, Spread) else None

    @cached_property
    def _marks(self) -> NDArray[np.bool_]:
        """Whether a row matches, by row."""
        marks = np.zeros(self.row_count, np.bool_)
        for each in self.matched:
            if isinstance(each.found, Spread):
                marks[each.found.tail.rows] = True
                base = marks[: len(each.found.dense[0].grades)]
                base |= bitset.members(each.found.matching, len(base))
            else:
                marks[each.found.rows] = True
        return marks

    @cached_property
    def words(self) -> tuple[Wanted, ...]:
        """The wanted words of all readings that matched anything."""
        return tuple(word for each in self.matched for word in each.reading.words)

    def pick(self, rows: Rows) -> Matches:
        """Only those of the matches that are among some ascending rows."""
        marks = np.zeros(self.row_count, np.bool_)
        marks[rows] = True
        picked = [
            replace(each, found=each.listed().pick(marks[each.listed().rows]))
            for each in self.matched
        ]
        return replace(self, matched=tuple(each for each in picked if len(each.found)))


def match(
    snapshot: Snapshot,
    query: Query,
    spoken: Spoken,
    budget: Budget | None = None,
    synonyms: Synonyms | None = None,
) -> Matches:
    """All records that match, words taken away if the query says so and nothing would else.

    The synonyms are the index's own unless others are given.
    """
    budget = budget or Budget(None)
    places = places_of(snapshot, query)
    known = snapshot.synonyms if synonyms is None else synonyms
    reader = Reader(snapshot, query, known, spoken, budget)
    kept = reader.kept()
    optional = reader.optional()
    matched = _matching(snapshot, query, spoken, places, reader.readings(kept, optional), budget)
    removed: tuple[int, ...] = ()
    if not matched and len(kept) > 1:
        mode = query.remove_words_if_no_results
        for may_miss in _retreats(mode, kept):
            readings = reader.readings(kept, optional.union(may_miss))
            matched = _matching(snapshot, query, spoken, places, readings, budget)
            if matched:
                removed = tuple(may_miss) if mode != "allOptional" else ()
                break
    matched = _few_typos(matched, query.typo_tolerance, snapshot.row_count)
    result = Matches(spoken, places, snapshot.row_count, tuple(matched), removed)
    return _around(snapshot, query, result)


def _retreats(mode: str, kept: list[int]) -> list[list[int]]:
    """The places of the words that may be absent after all, the fewest first."""
    removed = range(1, min(_REMOVED, len(kept) - 1) + 1)
    match mode:
        case "lastWords":
            return [kept[-count:] for count in removed]
        case "firstWords":
            return [kept[:count] for count in removed]
        case "allOptional":
            return [kept]
        case _:
            return []


def _matching(
    snapshot: Snapshot,
    query: Query,
    spoken: Spoken,
    places: Places,
    readings: Sequence[Reading],
    budget: Budget,
) -> list[Matched]:
    slots: dict[int, Slot] = {}
    result: list[Matched] = []
    for reading in readings:
        if result and not budget.has_time():
            break
        for word in reading.words:
            if id(word) not in slots:
                slots[id(word)] = Slot(snapshot, word)
        chosen = tuple(slots[id(word)] for word in reading.words)
        if any(slot.empty and not slot.wanted.optional for slot in chosen):
            continue
        found = find(snapshot, chosen, places) if chosen else _everything(snapshot)
        if any(word.optional for word in reading.words):
            found = _demanding(found.listed if isinstance(found, Spread) else found, reading)
        found = _filtered(snapshot, query, spoken, found)
        if len(found):
            result.append(Matched(reading, chosen, found))
    return result


def _everything(snapshot: Snapshot) -> Found:
    rows = snapshot.all_rows
    return Found(rows, ())


def words_matched(reading: Reading, grades: Sequence[Grades]) -> NDArray[np.int64]:
    """How many words of the query match, by row. What stands for several counts as all of them."""
    total = np.zeros(len(grades[0]), np.int64)
    for at, span in reading.spans.items():
        columns = [grades[j] for j, word in enumerate(reading.words) if word.at == at]
        total += span * np.logical_or.reduce([column != 0 for column in columns])
    return total


def _demanding(found: Found, reading: Reading) -> Found:
    """With all words optional, every thousand results further on must match more of the words.

    So says Algolia's description of optionalWords. Of those that match too few, the ones that the
    index ranks first fill up the last thousand.
    """
    count = sum(reading.spans.values())
    if count < _DEMANDING_FROM or not reading.all_optional:
        return found
    step = count // 5 if count >= _FIVES_FROM else 1
    matching = words_matched(reading, found.grades)
    needed, room = 1, _MANY
    while needed + step <= count and np.count_nonzero(matching >= needed) > room:
        needed += step
        room += _MANY
    if needed == 1:
        return found
    kept = matching >= needed
    missing = room - _MANY - int(np.count_nonzero(kept))
    if missing > 0:
        kept[np.flatnonzero((matching >= needed - step) & ~kept)[:missing]] = True
    return found.pick(kept)


def _needs_list(query: Query, spoken: Spoken) -> bool:
    """Whether anything but its words and filters decides what matches a query."""
    return bool(
        query.inside_bounding_box
        or query.inside_polygon
        or query.around_lat_lng is not None
        or spoken.phrases
        or spoken.excluded
        or query.hidden
    )


def _filtered(
    snapshot: Snapshot, query: Query, spoken: Spoken, found: Found | Spread
) -> Found | Spread:
    if isinstance(found, Spread):
        if not _needs_list(query, spoken):
            if query.filters is None:
                return found
            tail = holds(snapshot, query.filters, found.tail.rows)
            return found.both(base_bits(snapshot, query.filters), tail)
        found = found.listed
    return _filtered_list(snapshot, query, spoken, found)


def _filtered_list(snapshot: Snapshot, query: Query, spoken: Spoken, found: Found) -> Found:
    def keep(chosen: NDArray[np.bool_]) -> None:
        nonlocal found
        if not chosen.all():
            found = found.pick(chosen)

    if query.filters is not None:
        keep(holds(snapshot, query.filters, found.rows))
    inside = within_areas(snapshot, query, found.rows)
    if inside is not None:
        keep(inside)
    if query.around_lat_lng is not None and isinstance(query.around_radius, int):
        near = distances(snapshot, found.rows, query.around_lat_lng).metres
        keep(near <= query.around_radius)
    for first, count in spoken.phrases:
        if count > 1:
            keep(phrases.holding(snapshot, found.rows, spoken.words[first : first + count]))
    for excluded in spoken.excluded:
        keep(~phrases.holding(snapshot, found.rows, excluded))
    hidden = snapshot.rows_of(query.hidden) if query.hidden else None
    if hidden is not None and len(hidden):
        keep(~np.isin(found.rows, hidden))
    return found


def _few_typos(matched: list[Matched], tolerance: str, row_count: int) -> list[Matched]:
    """What `min` (the fewest typos there are) and `strict` (the two fewest) leave.

    A record has as many as in the reading in which it has fewest.
    """
    levels = {"min": 1, "strict": 2}.get(tolerance)
    if levels is None or not matched or not all(each.slots for each in matched):
        return matched
    counts = [typos(each.listed().grades).astype(np.int64) + each.reading.cost for each in matched]
    fewest = np.full(row_count, -1, np.int64)
    for each, count in zip(matched, counts, strict=True):
        rows = each.listed().rows
        known = fewest[rows]
        fewest[rows] = np.where(known < 0, count, np.minimum(known, count))
    best = np.unique(fewest[fewest >= 0])[:levels]
    picked = [
        replace(each, found=each.listed().pick(count <= best[-1]))
        for each, count in zip(matched, counts, strict=True)
    ]
    return [each for each in picked if len(each.found)]


def _around(snapshot: Snapshot, query: Query, matches: Matches) -> Matches:
    """The distances of what matches, and without a radius given, only what is near enough."""
    if query.around_lat_lng is None:
        return matches
    around = distances(snapshot, matches.rows, query.around_lat_lng)
    if query.around_radius is not None:
        return replace(matches, around=around)
    radius = automatic_radius_m(around.metres, query.minimum_around_radius)
    near = around.metres <= radius
    if not near.all() or (around.metres == NOWHERE).any():
        rows = matches.rows[near]
        matches = matches.pick(rows)
        around = Distances(rows, around.metres[near], around.degrees[near])
    return replace(matches, around=around, radius=radius)
