"""What a resolver publishes, awaited."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from storagebox.balance import Endpoint
from storagebox.balance.resolver import Resolver

WAIT_S = 30.0
"""For what comes within milliseconds on a machine that isn't busy."""


class Published:
    """Memberships in the order they were published, one as {id: endpoint}."""

    def __init__(self) -> None:
        self.count = 0
        self._queue: asyncio.Queue[dict[str, Endpoint]] = asyncio.Queue()

    def __call__(self, endpoints: Sequence[Endpoint]) -> None:
        self.count += 1
        self._queue.put_nowait({endpoint.id: endpoint for endpoint in endpoints})

    async def next(self) -> dict[str, Endpoint]:
        return await asyncio.wait_for(self._queue.get(), WAIT_S)

    @property
    def silent(self) -> bool:
        """Nothing more has been published."""
        return self._queue.empty()


@asynccontextmanager
async def watching(resolver: Resolver) -> AsyncGenerator[Published]:
    """A resolver at work."""
    published = Published()
    task = asyncio.create_task(resolver.watch(published))
    try:
        yield published
    finally:
        task.cancel()
        ended = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(ended, asyncio.CancelledError), f"it ended by itself: {ended!r}"
