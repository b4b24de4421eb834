"""Each client's own ranking of servers, by a hash of both: gRPC A68's random subsetting.

As uneven as a random subset, but it needs no memory: a client that starts again with its seed has
the same servers, and one server that comes or goes changes one of them at most.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from random import SystemRandom

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.subset import require


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """The `size` servers whose hash with the client's seed is lowest.

    A68 takes XXH64 of the address. No two clients have to agree, so any hash does: here BLAKE2b,
    which Python has, of the id.

    Args:
        size: servers of this client.
        seed: the client's own, 0 to 2^64 - 1; drawn if left out.
    """

    size: int
    seed: int = field(default_factory=lambda: SystemRandom().getrandbits(64))

    def __post_init__(self) -> None:
        require(self.size)

    def order(self, endpoints: Sequence[Endpoint], held: Collection[str]) -> Sequence[Endpoint]:
        key = self.seed.to_bytes(8, "big")

        def rank(endpoint: Endpoint) -> bytes:
            return blake2b(endpoint.id.encode(), digest_size=8, key=key).digest()

        return sorted(endpoints, key=rank)
