"""Discovery of a renderer: the host's registrar, which knows IPv6, where a board has `Beacons`."""

from __future__ import annotations

import asyncio
from typing import Any

from phantom.beacons import Beacons
from phantom.peer import Peer
from storagebox.registrar import Registrar


class HostBeacons(Beacons):
    """Serves peers what a board's does. `host` is the registrar that hears and speaks."""

    def __init__(self, host: Registrar, *board: Any) -> None:
        super().__init__(*board)
        self.host = host
        self.registrar = host.core
        self._starting: asyncio.Task[None] | None = None
        host.subscribe(self._pass_on)

    def poll(self, now_ms: int) -> None:
        """The host's loop does that."""

    def chore(self, now_ms: int) -> None:
        """Begin, and tell how many peers there are."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(self.host.start())
        self._tell(now_ms)

    def _pass_on(self, kind: str, peer: Peer | None, reason: str) -> None:
        self._changed(kind, peer, reason)
