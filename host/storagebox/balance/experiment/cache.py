"""What balancing does to caches at the servers: how often a key is found where it was before.

Each client has keys of its own, drawn by a Zipf law. A server caches what it was asked last, least
recently used out first. Requests take no time, but a fixed number of them is in flight, so that
policies which bound a server's load have one to bound.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from storagebox.balance.balancer import Balancer, Pick
from storagebox.balance.endpoint import Endpoint
from storagebox.balance.experiment.scenario import Contender
from storagebox.balance.outcome import Outcome

_BETWEEN_S = 0.0003
"""From one request to the next, of all clients together."""


class Lru:
    """A cache of `entries` keys."""

    __slots__ = ("_entries", "_keys")

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._keys: OrderedDict[int, None] = OrderedDict()

    def get(self, key: int) -> bool:
        """Whether it was there; it is afterwards."""
        keys = self._keys
        if key in keys:
            keys.move_to_end(key)
            return True
        keys[key] = None
        if len(keys) > self._entries:
            keys.popitem(last=False)
        return False


@dataclass(frozen=True, slots=True)
class Caching:
    """Clients with keys of their own, and servers with caches.

    Args:
        contenders: ways to balance.
        clients: how many.
        servers: how many.
        keys: of each client.
        exponent: of the Zipf law: the k-th key is asked for k^-exponent as often as the first.
        entries: of a server's cache.
        in_flight: requests at a time.
    """

    contenders: Sequence[Contender]
    clients: int = 30
    servers: int = 12
    keys: int = 2000
    exponent: float = 0.9
    entries: int = 3000
    in_flight: int = 36

    @property
    def names(self) -> Sequence[str]:
        return [contender.name for contender in self.contenders]

    @property
    def setting(self) -> dict[str, Any]:
        return {
            "clients": self.clients,
            "servers": self.servers,
            "keys_a_client": self.keys,
            "zipf_exponent": self.exponent,
            "entries_a_server": self.entries,
            "in_flight": self.in_flight,
        }

    def measure(self, contender: int, seed: int, requests: int) -> dict[str, float]:
        """`hits`: share of the requests whose key was cached, over the second half of the run;
        `max_over_mean`: requests of the busiest server over the mean."""
        clients, keys = self._requests(seed, requests)
        balancers = [
            self._balancer(self.contenders[contender], seed, client)
            for client in range(self.clients)
        ]
        caches = [Lru(self.entries) for _ in range(self.servers)]
        asked = [0] * self.servers
        open_: deque[Pick] = deque()
        hits, half = 0, requests // 2
        for at, (client, key) in enumerate(zip(clients, keys, strict=True)):
            now = at * _BETWEEN_S
            if len(open_) >= self.in_flight:
                open_.popleft().done(Outcome.SUCCESS, now)
            pick = balancers[client].pick(now, b"%d" % key)
            open_.append(pick)
            server = pick.endpoint.port - 1
            found = caches[server].get(key)
            if at >= half:
                hits += found
                asked[server] += 1
        return {
            "hits": hits / (requests - half),
            "max_over_mean": max(asked) * self.servers / (requests - half),
        }

    def _requests(self, seed: int, requests: int) -> tuple[list[int], list[int]]:
        """Each request's client and key."""
        random = np.random.default_rng(seed)
        chance = np.arange(1, self.keys + 1) ** -self.exponent
        ranks = random.choice(self.keys, requests, p=chance / chance.sum())
        clients = random.integers(0, self.clients, requests)
        return clients.tolist(), (clients * self.keys + ranks).tolist()

    def _balancer(self, contender: Contender, seed: int, client: int) -> Balancer:
        random = Random(f"{seed} client {client}")
        balancer = Balancer(contender.policy(client, random), random=random)
        balancer.update([Endpoint(f"server-{at:04}", 1 + at) for at in range(self.servers)], 0.0)
        return balancer
