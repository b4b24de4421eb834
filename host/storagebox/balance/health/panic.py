"""Panic: what happens when too few are well.

Everything that speaks against servers may be wrong at once, most often because it is this client
or its registry that is ill. So what is known is given up bit by bit, the weakest first: what the
registry says, then what checks say, then how requests ended. At the last step everybody is chosen
from, which is better than an error for certain, and better than all load on one.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def chosen_from(
    usable: Sequence[T], objections: Sequence[Callable[[T], bool]], panic_share: float
) -> tuple[list[T], int]:
    """Who is left, and how many objections had to be given up for that.

    Args:
        usable: all that don't drain.
        objections: what speaks against one, the weakest first.
        panic_share: no more than this share of the usable is too few; nobody always is.
    """
    for given_up in range(len(objections)):
        left = [
            each for each in usable if not any(object_(each) for object_ in objections[given_up:])
        ]
        if len(left) > panic_share * len(usable):
            return left, given_up
    return list(usable), len(objections)
