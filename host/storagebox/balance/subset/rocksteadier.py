"""Rocksteadier: lots of ten, shuffled inside and spread on a ring; even, and steady.

Ward, Wankadia, Guliani (see `ringsteady`). The order of slots within a lot and the first lot are
this project's reading: of the variants that the paper's summary allows, the one that balances
best.
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.subset import require
from storagebox.balance.subset.agreed import numbered, shuffle, van_der_corput


@dataclass(frozen=True, slots=True)
class Rocksteadier:
    """A client's servers are those in its own slot of each lot of servers, then in further slots.

    All clients of one lot shuffle each lot of servers alike, by one stream of chance in the order
    of lots; the last is padded to full length. So lots that were there before stay as they were
    when there are more.

    Args:
        size: servers of this client.
        client: its number, from 0 without gaps.
        lot: clients and servers in a lot. With fewer servers than this it balances no better than
            chance.
    """

    size: int
    client: int
    lot: int = 10

    def __post_init__(self) -> None:
        require(self.size, self.client)
        if self.lot < 1:
            raise ValueError(f"lots of {self.lot}: give 1 or more")

    def order(self, endpoints: Sequence[Endpoint], held: Collection[str]) -> Sequence[Endpoint]:
        client_lot, slot = divmod(self.client, self.lot)
        lots = self._lots(endpoints, client_lot)
        ring = sorted((van_der_corput(b), b) for b in range(len(lots)))
        start = bisect_left(ring, (van_der_corput(client_lot), -1))
        around = [lots[b] for _, b in ring[start:] + ring[:start]]
        rows = sorted(range(self.lot), key=van_der_corput)
        first = rows.index(slot)
        return [
            server
            for row in rows[first:] + rows[:first]
            for lot in around
            if (server := lot[row]) is not None
        ]

    def _lots(self, endpoints: Sequence[Endpoint], client_lot: int) -> list[list[Endpoint | None]]:
        servers = numbered(endpoints)
        random = Random(client_lot)
        lots: list[list[Endpoint | None]] = []
        for begin in range(0, max(servers, default=-1) + 1, self.lot):
            lot = [servers.get(number) for number in range(begin, begin + self.lot)]
            shuffle(lot, random)
            lots.append(lot)
        return lots
