"""Panic: what happens when too few are well.

Everything that speaks against servers may be wrong at once, most often because it is this client
or its registry that is ill. So what is known is given up bit by bit, the weakest first: what the
registry says, then what checks say, then how requests ended. At the last step everybody is chosen
from, which is better than an error for certain, and better than all load on one.
"""

from collections.abc import Sequence
from enum import IntEnum


class Objection(IntEnum):
    """What speaks against a server; the strongest counts."""

    NONE = 0
    REGISTRY = 1
    CHECKS = 2
    REQUESTS = 3


def given_up(strongest: Sequence[int], panic_share: float) -> int:
    """Up to which objection nothing is held against anybody; `NONE` without a panic.

    Args:
        strongest: the strongest objection to each server that doesn't drain.
        panic_share: no more than this share of them is too few; nobody always is.
    """
    too_few = panic_share * len(strongest)
    for objection in Objection:
        if sum(each <= objection for each in strongest) > too_few:
            return objection
    return Objection.REQUESTS
