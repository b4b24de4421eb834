"""The panel's line to the box: its control socket, asked as any program asks it, and kept up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from phantom.rpc import CLOSED, RpcError
from storagebox.control import ANSWER_S, ANSWERS_S, MAX_LINE_BYTES
from storagebox.conversation import Conversation

from .house import House

# A box that starts serves within a second.
_AGAIN_S = 0.25

Fault = Callable[[str, BaseException], None]


class Line:
    """Keeps `house` in step while `run` runs. `fault` hears of faults of our own."""

    def __init__(self, path: Path, house: House, fault: Fault) -> None:
        self._path = path
        self._house = house
        self._fault = fault
        self._conversation: Conversation | None = None
        self.up = False
        """The house is as the box tells it."""

    async def call(self, method: str, /, **params: Any) -> Any:
        """The box's answer. Raises RpcError."""
        if self._conversation is None:
            raise RpcError(CLOSED, f"{self._path}: no box serves here")
        patience_s = ANSWERS_S.get(method, ANSWER_S) or ANSWER_S
        return await self._conversation.call(method, params, patience_s)

    def tick(self, now_ms: int) -> None:
        """A few times a second: let calls time out."""
        if self._conversation is not None:
            self._conversation.tick(now_ms)

    async def run(self) -> None:
        """Connect, follow the house, and again, until cancelled."""
        while True:
            with suppress(OSError):
                await self._once()
            await asyncio.sleep(_AGAIN_S)

    async def _once(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self._path, limit=MAX_LINE_BYTES)
        conversation = Conversation(
            lambda message: writer.write(message + b"\n"), MAX_LINE_BYTES, self._fault
        )
        conversation.serve("changed", self._changed)
        conversation.serve("missed", self._missed)
        self._conversation = conversation
        beginning = asyncio.ensure_future(self._begin())
        try:
            while line := await reader.readline():
                conversation.receive(line)
        except ValueError:
            pass  # a line over the limit: begin anew
        finally:
            self.up, self._conversation = False, None
            conversation.close()
            beginning.cancel()
            await asyncio.gather(beginning, return_exceptions=True)
            writer.close()

    async def _begin(self) -> None:
        # Watching comes first, so that what changes in between is told after the status.
        with suppress(RpcError):
            await self.call("watch")
            self._house.begin(await self.call("status"))
            self.up = True

    def _changed(self, **change: Any) -> None:
        self._house.told(change)

    async def _missed(self, **_: Any) -> None:
        with suppress(RpcError):
            self._house.begin(await self.call("status"))
