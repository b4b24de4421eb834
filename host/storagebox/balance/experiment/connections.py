"""How many clients each server has, and how many connections a server that comes or goes costs.

No request is sent: subsets are computed for every client, by the policies that ship.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.subset import Subset, members

MakeSubset = Callable[[int, int, Random], Subset]
"""A client's subset, from its size, the client's number, and a source of chance."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Clients that choose `size` of the servers each.

    Args:
        clients: how many.
        servers: how many.
        size: of each client's subset.
        subsets: name and maker of each way to choose.
    """

    clients: int
    servers: int
    size: int
    subsets: Sequence[tuple[str, MakeSubset]]

    @property
    def names(self) -> Sequence[str]:
        return [name for name, _ in self.subsets]

    @property
    def setting(self) -> dict[str, Any]:
        return {"clients": self.clients, "servers": self.servers, "size": self.size}

    def measure(self, contender: int, seed: int, requests: int) -> dict[str, float]:
        """Evenness and churn of one draw.

        - `least`, `most`, `cv`: of connections a server, over their mean.
        - `join`, `leave`: share of a client's connections that are new once a server has joined,
          or the last one left.
        - `at_most`: connections that one client replaced for either, at most.
        """
        make = self.subsets[contender][1]
        chosen = [
            make(self.size, client, Random(f"{seed} {client}")) for client in range(self.clients)
        ]
        there = [_endpoint(number) for number in range(self.servers)]
        held = [self._ids(subset, there, frozenset()) for subset in chosen]
        more, fewer = [*there, _endpoint(self.servers)], there[:-1]
        joined = self._replaced(chosen, held, more)
        left = self._replaced(chosen, held, fewer)
        counts = np.bincount([int(id_[1:]) for ids in held for id_ in ids], minlength=self.servers)
        mean = counts.mean()
        return {
            "connections": float(counts.sum()),
            "least": float(counts.min() / mean),
            "most": float(counts.max() / mean),
            "cv": float(counts.std() / mean),
            "join": float(joined.mean() / self.size),
            "leave": float(left.mean() / self.size),
            "at_most": float(max(joined.max(), left.max())),
        }

    def _replaced(
        self, chosen: Sequence[Subset], held: Sequence[frozenset[str]], there: list[Endpoint]
    ) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.asarray(
            [
                len(self._ids(subset, there, before) - before)
                for subset, before in zip(chosen, held, strict=True)
            ]
        )

    def _ids(self, subset: Subset, there: list[Endpoint], held: frozenset[str]) -> frozenset[str]:
        known = held & {endpoint.id for endpoint in there}
        return frozenset(endpoint.id for endpoint in members(subset, there, known))


def _endpoint(number: int) -> Endpoint:
    return Endpoint("server", 1 + number, id=f"s{number:05}", meta={"number": str(number)})
