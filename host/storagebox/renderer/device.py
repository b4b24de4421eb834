"""A device that is this machine: what `phantom.device` is on a board, put on a host's parts."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from phantom import clock_server, exchange, listener
from phantom.device import Device
from phantom.port import dual_stack, pc
from phantom.wire import CLOCK_PORT, LINK_PORT, mux
from storagebox.journal import Journal
from storagebox.registrar import Registrar

from .beacons import HostBeacons

ANYWHERE = "0.0.0.0"
# 2.7 s of PCM16, more than a box sends ahead.
_RING_BYTES = 1 << 19
# 171 ms: what a busy PC may be late by.
_DESCRIPTORS = 32


class Renderer(Device):
    """Keeps its files in `folder`, plays to `sink`. `address` limits it to one IPv4 address."""

    def __init__(
        self,
        identity: str,
        name: str,
        folder: str,
        sink: pc.Sink,
        journal: Journal,
        address: str = ANYWHERE,
    ) -> None:
        self._address = address
        self._journal = journal
        sockets = dual_stack.Sockets(address)
        for module in (clock_server, exchange, listener):
            module.socket = sockets  # pyright: ignore[reportAttributeAccessIssue]
        clock_server.select = dual_stack.Select()  # pyright: ignore[reportAttributeAccessIssue]
        dac: dict[str, Any] = {"sink": sink, "descriptors": _DESCRIPTORS, "channels": 2}
        super().__init__(
            {"name": "pc", "ring_bytes": _RING_BYTES, "dac": dac},
            {
                "id": identity,
                "name": name,
                "folder": folder,
                "port": _free(sockets, socket.SOCK_STREAM, LINK_PORT),
                "clock_port": _free(sockets, socket.SOCK_DGRAM, CLOCK_PORT),
            },
        )

    def _open_dac(self, dac: dict[str, Any]) -> tuple[pc.Dac, int]:
        opened, descriptors = pc.open_dac(dac)
        self.began_ns = opened.began_ns  # of the monotonic clock, when its first frame goes out
        self._silent = None
        return opened, descriptors

    def _discovery(self, port: int) -> HostBeacons:
        host = Registrar(
            self.membership,
            role=mux.ROLE_DEVICE,
            name=self.name,
            port=port,
            services={"link": port},
            journal=self._journal,
            address=self._address,
        )
        self._host = host
        return HostBeacons(
            host, self.membership, self.name, self._radio, pc.random32, port, self.properties
        )

    async def serve(self) -> None:
        """Serve until cancelled; then say goodbye. Whatever goes wrong in it is raised."""
        turning = asyncio.ensure_future(self.run())
        try:
            while self._task is None:
                await asyncio.sleep(0)
            tasks: set[asyncio.Future[Any]] = {turning, self._task}
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (turning, self._task):
                if task is not None:
                    task.cancel()
            await self._host.close()


def _free(sockets: dual_stack.Sockets, kind: int, preferred: int) -> int:
    """The port that devices use, or another: a box on this machine may have that."""
    for port in (preferred, 0):
        with sockets.socket(socket.AF_INET, kind) as trial:
            if kind == socket.SOCK_STREAM:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((ANYWHERE, port))
                if kind == socket.SOCK_STREAM:
                    trial.listen(1)
            except OSError:
                continue
            return trial.getsockname()[1]
    return preferred
