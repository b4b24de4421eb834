"""Ringsteady: clients and servers at places on a ring that stay when others come and go.

Ward, Wankadia, Guliani, "Reinventing Backend Subsetting at Google", ACM Queue 20(5), 2022.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.subset import require
from storagebox.balance.subset.agreed import numbered, van_der_corput


@dataclass(frozen=True, slots=True)
class Ringsteady:
    """The `size` servers from the client's place on.

    A number's place is its van der Corput fraction, so however many there are they lie nearly
    evenly. It balances worse where clients outnumber servers.

    Args:
        size: servers of this client.
        client: its number, from 0 without gaps.
    """

    size: int
    client: int

    def __post_init__(self) -> None:
        require(self.size, self.client)

    def order(self, endpoints: Sequence[Endpoint], held: Collection[str]) -> Sequence[Endpoint]:
        servers = numbered(endpoints)
        ring = sorted((van_der_corput(number), number) for number in servers)
        start = bisect_left(ring, (van_der_corput(self.client), -1))
        return [servers[number] for _, number in ring[start:] + ring[:start]]
