"""How well a word matches, as one small number, a grade.

1 is the word itself, 2 a word that begins with it; one more typo is two more. Words that count as
exact are odd, others even. 0 is no match.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

EXACT: Final = 1
BEGINS: Final = 2


def grade(cost: int, *, exact: bool) -> int:
    """The grade of a match at `cost` typos."""
    return 2 * cost + (EXACT if exact else BEGINS)


def is_exact(grade: int) -> bool:
    """Whether a match of a grade counts as exact."""
    return grade & 1 == 1


def cost_of(grades: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The typos in grades; none in 0."""
    typos = grades - (grades > 0)
    typos >>= 1
    return typos
