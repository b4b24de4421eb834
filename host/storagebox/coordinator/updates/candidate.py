"""A board as its update sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from storagebox.streamer.transfer import Patience


class Candidate(Protocol):
    """A board that may be updated. While it is away, all is as it was last heard of."""

    @property
    def id(self) -> str: ...
    @property
    def room(self) -> str:
        """Its room's name; empty if it has none."""
        ...

    @property
    def connected(self) -> bool:
        """It can be called."""
        ...

    @property
    def why_away(self) -> str:
        """In words."""
        ...

    @property
    def boot(self) -> int:
        """Of the start in which it is; 0 while it is away."""
        ...

    @property
    def board(self) -> str:
        """The name of its kind, as the folders in boards/ have it."""
        ...

    @property
    def arch(self) -> str:
        """What native code it runs, as mpy-cross calls it; empty if it takes no updates."""
        ...

    @property
    def version(self) -> str:
        """Of the code that it runs."""
        ...

    @property
    def slot(self) -> str:
        """Where that is: "a", "b", "safe", or "frozen", in safe mode too; empty if it takes no
        updates."""
        ...

    @property
    def safe(self) -> bool:
        """It is in safe mode."""
        ...

    @property
    def idle(self) -> bool:
        """It is here, and nothing plays there, nor is about to."""
        ...

    @property
    def unhurried(self) -> bool:
        """Nobody hears it if its loop is held up for a while: nothing plays there, or it holds
        enough of what does."""
        ...

    @property
    def update(self) -> Mapping[str, Any]:
        """Its property update.state (see phantom.updates); empty if it has none."""
        ...

    @property
    def failed(self) -> list[str]:
        """Versions that did not work there."""
        ...

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Its answer. Raises RpcError."""
        ...

    async def upload(self, data: bytes, purpose: str, patience: Patience) -> None:
        """Until all has arrived; see `streamer.transfer`. Raises RpcError."""
        ...
