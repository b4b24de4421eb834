"""Sort keys of strings: numbers far from those that people keep, in the order of the strings.

An index counts through the strings that a sort's attribute has: a string's place among them makes
its key. Strings that came later have places between. For a descending sort keys are negative.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_FIRST: Final = float(1 << 50)
_STEP: Final = float(1 << 20)


class NewString(NamedTuple):
    """A string of a row of the tail, and its place in front of one that the base knows."""

    place: int
    string: str
    row: int


def keys_of_new(new: Sequence[NewString], *, descending: bool) -> Iterator[tuple[int, float]]:
    """Rows and their keys, in the order of all strings."""
    strings = sorted({each.string for each in new})
    share = {string: (at + 1) / (len(strings) + 1) for at, string in enumerate(strings)}
    for place, string, row in new:
        # Between the base's string before it and the one behind.
        yield row, key_of(place - 1 + share[string], descending=descending)


def key_among(
    string: str, known: Sequence[str], new: Sequence[NewString], *, descending: bool
) -> float:
    """The key of any string, whether a row has it or not: as `keys_of_new` has it, or between."""
    place = bisect_left(known, string)
    if place < len(known) and known[place] == string:
        return key_of(place, descending=descending)
    strings = sorted({each.string for each in new})
    at = bisect_left(strings, string)
    there = at < len(strings) and strings[at] == string
    share = (at + (1.0 if there else 0.5)) / (len(strings) + 1)
    return key_of(place - 1 + share, descending=descending)


def key_of(place: float, *, descending: bool) -> float:
    """The key of the string at a place."""
    key = _FIRST + place * _STEP
    return -key if descending else key


def places_of(
    keys: NDArray[np.float64], count: int, *, descending: bool
) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Which keys are those of `count` strings, and at which places these are."""
    places = ((-keys if descending else keys) - _FIRST) / _STEP
    # What is infinite is no place either.
    are = (places >= 0) & (places < count) & (np.floor(places) == places)
    return are, places[are].astype(np.int64)
