"""What clients have to agree on without talking: the servers' numbers, and shuffles.

Numbers are those that servers tell of themselves (`meta["number"]`, as a stateful set's or a
shard's ordinal), so that one that goes leaves a gap and all others keep theirs. Where any server
tells none, they are the places in the order of ids; then one that goes moves all after it.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from storagebox.balance.endpoint import Endpoint

_MAX_SPARSE = 16
"""Numbers may have gaps, up to so many times as many numbers as servers."""


def numbered(endpoints: Sequence[Endpoint]) -> dict[int, Endpoint]:
    """The endpoints by their numbers, 0 or more."""
    told = {
        int(number): endpoint
        for endpoint in endpoints
        if (number := endpoint.meta.get("number", "")).isdecimal()
    }
    if len(told) == len(endpoints) and max(told, default=0) < _MAX_SPARSE * len(endpoints):
        return told
    return dict(enumerate(endpoints))


def shuffle(items: list[Any], random: Random) -> None:
    """Shuffle in place, the same in every version of Python: only `random()` promises that."""
    for last in range(len(items) - 1, 0, -1):
        other = int(random.random() * (last + 1))
        items[last], items[other] = items[other], items[last]


def van_der_corput(n: int) -> float:
    """The bits of `n` mirrored at the point, in [0, 1): 0, 1/2, 1/4, 3/4, 1/8, ...

    However many are taken from the start of this sequence, they lie nearly evenly. Exact up to 53
    bits.
    """
    fraction, bit = 0.0, 0.5
    while n:
        if n & 1:
            fraction += bit
        n >>= 1
        bit /= 2
    return fraction
