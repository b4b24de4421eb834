"""Neighbours, a window's width on from the client before: equal, and nothing else."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.subset import require


@dataclass(frozen=True, slots=True)
class IndexWindow:
    """Servers client · size to client · size + size - 1, counted around.

    Each server has as many clients as the others wherever the number of servers divides that of
    connections. A server that comes or goes replaces about half of all connections, and a window
    of neighbours restarts together in a rolling restart.

    Args:
        size: servers of this client.
        client: its number, from 0 without gaps.
    """

    size: int
    client: int

    def __post_init__(self) -> None:
        require(self.size, self.client)

    def order(self, endpoints: Sequence[Endpoint], held: Collection[str]) -> Sequence[Endpoint]:
        start = self.client * self.size % len(endpoints) if endpoints else 0
        return [*endpoints[start:], *endpoints[:start]]
