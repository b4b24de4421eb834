"""A resolver that passes on only the servers that this client is to use."""

from collections.abc import Sequence

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.resolver import Publish, Resolver
from storagebox.balance.subset import Subset, members


class SubsetResolver:
    """Wraps a resolver; publishes the members of a subset of what that finds.

    One that drains while it is used stays published, so that it is seen to drain and keeps its
    connection, beside the one that takes its place.
    """

    def __init__(self, resolver: Resolver, subset: Subset) -> None:
        self._resolver = resolver
        self._subset = subset
        self._held: frozenset[str] = frozenset()

    async def watch(self, publish: Publish) -> None:
        """Publish the subset's members whenever the membership has changed, until cancelled."""

        def narrow(endpoints: Sequence[Endpoint]) -> None:
            chosen = members(self._subset, endpoints, self._held)
            ids = {endpoint.id for endpoint in chosen}
            draining = [
                endpoint
                for endpoint in endpoints
                if endpoint.weight == 0 and endpoint.id in self._held and endpoint.id not in ids
            ]
            self._held = frozenset(ids | {endpoint.id for endpoint in draining})
            publish(chosen + draining)

        await self._resolver.watch(narrow)
