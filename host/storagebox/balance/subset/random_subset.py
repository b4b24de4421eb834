"""Any servers, drawn once; test 1 of the experiments.

Connections a server ~ Binomial(clients, size / servers): their standard deviation is
√((1 - size/n) / (clients · size/n)) of the mean, which is much, and the reason for all others.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from random import Random, SystemRandom

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.subset import require
from storagebox.balance.subset.agreed import shuffle


@dataclass(frozen=True, slots=True)
class RandomSubset:
    """Draws `size` servers; later replaces only those that it has lost.

    So one that joins gets clients only as others are lost, and as clients start.

    Args:
        size: servers of this client.
        seed: the client's own; drawn if left out.
    """

    size: int
    seed: int = field(default_factory=lambda: SystemRandom().getrandbits(64))

    def __post_init__(self) -> None:
        require(self.size)

    def order(self, endpoints: Sequence[Endpoint], held: Collection[str]) -> Sequence[Endpoint]:
        kept = [endpoint for endpoint in endpoints if endpoint.id in held]
        others = [endpoint for endpoint in endpoints if endpoint.id not in held]
        shuffle(others, Random(self.seed))
        return kept + others
