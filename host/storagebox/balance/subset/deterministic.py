"""Deterministic subsetting, of Site Reliability Engineering, chapter 20.

Clients form rounds of n // size. All of a round shuffle the servers alike, and each takes the next
`size` of them: a round uses every server once, except n mod size which it doesn't use at all. Each
round shuffles otherwise, so what one round leaves out or loses is another's.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.subset import require
from storagebox.balance.subset.agreed import shuffle


@dataclass(frozen=True, slots=True)
class DeterministicSubset:
    """The book's algorithm. It falls back to a random subset where n // size is 1.

    A server that comes or goes changes every shuffle, and with n // size the rounds: up to nine
    connections of ten are replaced. Google replaced it for that (`Rocksteadier`).

    Args:
        size: servers of this client.
        client: its number, from 0 without gaps.
    """

    size: int
    client: int

    def __post_init__(self) -> None:
        require(self.size, self.client)

    def order(self, endpoints: Sequence[Endpoint], held: Collection[str]) -> Sequence[Endpoint]:
        round_, place = divmod(self.client, max(1, len(endpoints) // self.size))
        order = list(endpoints)
        shuffle(order, Random(round_))
        start = place * self.size
        return order[start:] + order[:start]
