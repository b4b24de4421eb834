"""Sort keys of strings: numbers far from those that people keep, in the order of the strings.

An index counts through the strings that a sort's attribute has: a string's place among them makes
its key. Strings that came later have places between. For a descending sort keys are negative.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_FIRST: Final = float(1 << 50)
_STEP: Final = float(1 << 20)


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
