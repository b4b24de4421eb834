"""A list that somebody wrote down."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.resolver import Publish


@dataclass(frozen=True, slots=True)
class Static:
    """Always the same endpoints."""

    endpoints: Sequence[Endpoint]

    async def watch(self, publish: Publish) -> None:
        publish(self.endpoints)
        await asyncio.Event().wait()
