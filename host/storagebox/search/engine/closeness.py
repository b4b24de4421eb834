"""Proximity, attribute and exact: the criteria that depend on where words stand in a record.

Of each word those places count at which it matches with its fewest typos.

proximity: for each two neighbouring words of the query, how far apart they stand at best: 1 next
to each other, one more when turned round, 8 from there on or in different attributes; summed.
attribute: 1000 x the attribute's rank + the word's position in it, at the best of some places:
those that make the proximity (`minProximity`), or any word's (`best`); or summed over the words,
at the best place of each (`sum`).
exact: how many words are there whole, negated, for smaller is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.candidates import Found, Grades
from storagebox.search.engine.layout import MAX_POSITION, POSITION_BITS
from storagebox.search.engine.places import Places
from storagebox.search.engine.ragged import Rows
from storagebox.search.engine.slots import Slot
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.language.words import STOP_WORD_LANGUAGES, stop_words

FAR: Final = 8
_SAYS_SOMETHING: Final = 3  # characters of a word
NOWHERE: Final = (1 << 16) - 1


def at_best(slots: Sequence[Slot], places: Places) -> dict[str, int]:
    """What each of the three is at best."""
    pairs = max(len(slots) - 1, 0)
    return {"proximity": pairs * places.min_proximity, "attribute": 0, "exact": -len(slots)}


def closeness(
    snapshot: Snapshot, found: Found, slots: Sequence[Slot], places: Places
) -> Mapping[str, NDArray[np.int64]]:
    """The three criteria of each row."""
    count = len(found.rows)
    owner, ids, codes = snapshot.tokens(found.rows)
    exact = np.zeros(count, np.int64)
    where: list[NDArray[np.int64]] = []
    for slot, best in zip(slots, found.grades, strict=True):
        hits, grades = _hits(slot, owner, ids, codes, best, places)
        rows, at = owner[hits], codes[hits]
        where.append((rows << 16) | at)
        whole = (grades & 1) != 0
        if places.inexact is not None:
            whole &= ~places.inexact[at]
        if whole.any():
            if len(slots) == 1:
                whole = hits[whole]
                if places.single_word == "none" or (
                    places.single_word == "word" and _says_little(slot.wanted.text)
                ):
                    whole = whole[:0]
                elif places.single_word == "attribute":
                    whole = whole[_alone(owner, codes, whole)]
                exact[owner[whole]] = -1
            else:
                exact_rows = np.zeros(count, np.bool_)
                exact_rows[rows[whole]] = True
                exact -= exact_rows
    distances = [
        _distance(count, first, second, places.min_proximity) for first, second in pairwise(where)
    ]
    return {
        "proximity": sum(distances, start=np.zeros(count, np.int64)),
        "attribute": _attribute(count, where, distances, places),
        "exact": exact,
    }


def _says_little(word: str) -> bool:
    """Whether a word alone never counts as exact by `exactOnSingleWordQuery: word`."""
    return len(word) < _SAYS_SOMETHING or word in stop_words(STOP_WORD_LANGUAGES)


def _attribute(
    count: int,
    where: Sequence[NDArray[np.int64]],
    distances: Sequence[NDArray[np.int64]],
    places: Places,
) -> NDArray[np.int64]:
    """The criterion of each row: the places of each word, and of each pair how far it is apart."""
    if places.keys is None:
        return np.zeros(count, np.int64)
    total = np.zeros(count, np.int64)
    best = np.full(count, NOWHERE, np.int64)
    if places.attribute_by == "minProximity" and distances:
        for (first, second), distance in zip(pairwise(where), distances, strict=True):
            for taken in _nearest(count, first, second, distance):
                np.minimum.at(best, taken >> 16, _keys(places, taken))
    elif places.attribute_by == "sum":
        for each in where:
            worth = np.full(count, NOWHERE, np.int64)
            np.minimum.at(worth, each >> 16, _keys(places, each))
            total += worth
        return total
    else:
        for each in where:
            np.minimum.at(best, each >> 16, _keys(places, each))
    return best


def _keys(places: Places, where: NDArray[np.int64]) -> NDArray[np.int64]:
    assert places.keys is not None
    return places.keys[where & 0xFFFF].astype(np.int64)


def _nearest(
    count: int, first: NDArray[np.int64], second: NDArray[np.int64], distance: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of the places of two words those that come as close as `distance` says of their row.

    Of the second word only those before one of the first: the others aren't the first to stand
    in their attribute.
    """
    if _one_each(count, first) and _one_each(count, second):
        return first, second
    far_first, far_second = distance[first >> 16] == FAR, distance[second >> 16] == FAR
    near = first[~far_first]
    if not len(near) or not len(second):
        return first, second
    reach = distance[near >> 16]
    behind = second[np.minimum(np.searchsorted(second, near, side="right"), len(second) - 1)]
    is_followed = _apart(near, behind) <= reach
    # Before it, the one that stands furthest in front and is still as close.
    begin = np.maximum(near - (reach - 1), near & ~np.int64(MAX_POSITION))
    before = second[np.minimum(np.searchsorted(second, begin), len(second) - 1)]
    is_preceded = (before >= begin) & (before < near)
    taken = far_first
    taken[~far_first] = is_followed
    return first[taken], np.sort(np.concatenate([second[far_second], before[is_preceded]]))


def _one_each(count: int, where: NDArray[np.int64]) -> bool:
    """Whether there is one place in every row."""
    return len(where) == count and bool((where >> 16 == np.arange(count)).all())


def _hits(
    slot: Slot,
    owner: Rows,
    ids: NDArray[np.int64],
    codes: NDArray[np.uint16],
    best: Grades,
    places: Places,
) -> tuple[NDArray[np.int64], Grades]:
    """The tokens at which a slot matches with the fewest typos of its row, and their grades."""
    grades = slot.table.take(ids)
    if not places.alike:
        places.strike(grades, codes)
    hits = grades.nonzero()[0]
    grades = grades[hits]
    if len(hits) and grades.max() > 2:
        # Equal but for the odd one that makes it exact: the same number of typos.
        same = (grades + 1) >> 1 == (best[owner[hits]] + 1) >> 1
        if not same.all():
            hits, grades = hits[same], grades[same]
    return hits, grades


def _alone(owner: Rows, codes: NDArray[np.uint16], hits: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether tokens are the only words of their attribute, or of their element of an array."""
    place = codes[hits].astype(np.int64)
    before = np.maximum(hits - 1, 0)
    has_neighbour = (owner[before] == owner[hits]) & (codes[before] == place - 1)
    # The next token may be the same word once more, as a compound.
    for step in (1, 2):
        behind = np.minimum(hits + step, len(codes) - 1)
        has_neighbour |= (owner[behind] == owner[hits]) & (codes[behind] == place + 1)
    return ~has_neighbour


def _distance(
    count: int, first: NDArray[np.int64], second: NDArray[np.int64], at_least: int
) -> NDArray[np.int64]:
    """How close two words come in each row, `at_least` to FAR.

    Their places are row << 16 | code, ascending.
    """
    best = np.full(count, FAR, np.int64)
    if len(first) and len(second):
        if _one_each(count, first) and _one_each(count, second):
            rows = np.arange(count)
            nearest = _apart(first, second)
        else:
            rows = first >> 16
            behind = np.searchsorted(second, first, side="right")
            following = second[np.minimum(behind, len(second) - 1)]
            before = np.searchsorted(second, first, side="left") - 1
            preceding = second[np.maximum(before, 0)]
            nearest = np.minimum(_apart(first, following), _apart(first, preceding))
        np.minimum.at(best, rows, nearest)
    return np.maximum(best, at_least)


def _apart(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """How far the second place is behind the first, one more if before it, at most FAR."""
    gap = second - first
    # At equal places it is one word, which can't be both.
    gap = np.where(gap > 0, gap, np.where(gap == 0, FAR, 1 - gap))
    gap[(first ^ second) >> POSITION_BITS != 0] = FAR
    return np.minimum(gap, FAR)
