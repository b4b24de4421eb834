"""Who is there: a resolver a module, each with another way to find endpoints.

Subsetting wraps a resolver (`subset`): whoever picks never knows that there are more.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from storagebox.balance.endpoint import Endpoint

Publish = Callable[[Sequence[Endpoint]], None]
"""Takes the whole membership, each time it has changed."""


class Resolver(Protocol):
    """Finds who is there."""

    async def watch(self, publish: Publish) -> None:
        """Publish the membership once it is known and whenever it has changed, until cancelled.

        It doesn't end and doesn't raise for anything the network or a registry does: it keeps what
        it published last, waits (longer each time, with jitter) and asks again. It raises
        `ValueError` at once for what no waiting mends.
        """
        ...
