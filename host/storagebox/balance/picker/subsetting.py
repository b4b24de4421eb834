"""Any policy, among a subset of the servers: to test subsets, and where no resolver is there.

Ejected servers are replaced, unlike behind a `SubsetResolver`, which knows nothing of health.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from storagebox.balance.node import Node
from storagebox.balance.picker import Measure, Picker, Policy
from storagebox.balance.picker.round_robin import RoundRobin
from storagebox.balance.subset import Subset, members
from storagebox.balance.subset.random_subset import RandomSubset


@dataclass(frozen=True, slots=True)
class Subsetting:
    """`policy` among the members of `subset`. A policy for one client, as the subset is."""

    subset: Subset
    policy: Policy

    @property
    def measure(self) -> Measure | None:
        return self.policy.measure

    @property
    def refresh_s(self) -> float | None:
        return self.policy.refresh_s

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        before = previous if isinstance(previous, _Among) else None
        held = before.ids if before else ()
        chosen = members(self.subset, [node.endpoint for node in nodes], held)
        ids = frozenset(endpoint.id for endpoint in chosen)
        among = [node for node in nodes if node.endpoint.id in ids]
        inner = self.policy.picker(among, before.inner if before else None, random, now)
        return _Among(inner, ids)


class _Among:
    __slots__ = ("ids", "inner", "pick")

    def __init__(self, inner: Picker, ids: frozenset[str]) -> None:
        self.inner = inner
        self.ids = ids
        self.pick = inner.pick


def random_subset_round_robin(size: int, seed: int | None = None) -> Subsetting:
    """Test 1 of the experiments: in turn over `size` servers drawn at random.

    Args:
        size: servers of this client.
        seed: the client's own; drawn if left out.
    """
    subset = RandomSubset(size) if seed is None else RandomSubset(size, seed)
    return Subsetting(subset, RoundRobin())
