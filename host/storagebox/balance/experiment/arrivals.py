"""When requests come, from whom, and how much work they are: drawn beforehand, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """One entry a request, in order of time.

    Args:
        times_s: when it comes, from 0 on.
        clients: whose it is, 0 to M - 1.
        work_s: how long it takes one worker of a server of speed 1.
    """

    times_s: Floats
    clients: Integers
    work_s: Floats

    def __len__(self) -> int:
        return len(self.times_s)


def poisson(
    random: np.random.Generator,
    requests: int,
    rates_per_s: Sequence[float],
    shares: Sequence[float],
    service_s: float,
    sigma: float,
) -> Arrivals:
    """Independent requests, each from a client drawn by its share, with lognormal work.

    Args:
        random: decides everything.
        requests: how many.
        rates_per_s: how many a second; if there are several, each holds for an equal number of
            requests, one after the other.
        shares: of each client, in any unit.
        service_s: the mean work.
        sigma: of the logarithm of the work; 0 makes all of them equal.
    """
    gaps = random.standard_exponential(requests)
    rates = np.asarray(rates_per_s, dtype=np.float64)
    rate = rates[np.arange(requests) * len(rates) // requests]
    share = np.asarray(shares, dtype=np.float64)
    work = random.lognormal(-sigma * sigma / 2, sigma, requests)
    return Arrivals(
        times_s=np.cumsum(gaps / rate),
        clients=random.choice(len(share), requests, p=share / share.sum()),
        work_s=work * service_s,
    )
