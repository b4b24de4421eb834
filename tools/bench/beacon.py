"""Beacons of a stand-in device: the registrar of boards, on a socket that hears no broadcasts."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

from phantom.peer import TICKS_MASK
from phantom.registrar import Me, Registrar
from phantom.wire import DISCOVERY_PORT, mux
from phantom.wire.discovery import MAX_BYTES
from storagebox.installation import Membership
from storagebox.streamer.sweep import Sweep

EVERYBODY = "127.255.255.255"
_BATCH = 16


def now_ms() -> int:
    """A board's ticks."""
    return time.monotonic_ns() // 1_000_000 & TICKS_MASK


class Beacon:
    """Says that a device is here, from an address of loopback, until `close`. Call `tick`."""

    def __init__(
        self,
        membership: Membership,
        sweep: Sweep,
        *,
        address: str,
        port: int,
        services: Mapping[str, int] | None = None,
        name: str | None = None,
    ) -> None:
        self._sweep = sweep
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.bind((address, 0))
        sweep.add(self._socket.fileno(), self._readable)
        chance = random.Random(membership.id)
        me = Me(
            membership.id,
            name or membership.id,
            mux.ROLE_DEVICE,
            membership.boot,
            membership.installation,
            membership.key,
            port,
        )
        me.services = dict(services or {})
        self._core = Registrar(me, self._send, lambda n: chance.randrange(max(1, n)), _ignore)
        self._core.start([address], now_ms())

    def tick(self) -> None:
        """Ten times a second or more often."""
        self._core.tick(now_ms())

    def goodbye(self) -> None:
        """Say that the device leaves."""
        self._core.goodbye()

    def close(self) -> None:
        """Be silent, as after a power cut."""
        self._sweep.remove(self._socket.fileno())
        self._socket.close()

    def _send(self, datagram: bytes | bytearray, address: tuple[str, int] | None) -> None:
        with suppress(OSError):
            self._socket.sendto(datagram, address or (EVERYBODY, DISCOVERY_PORT))

    def _readable(self, _: int) -> None:
        for _ in range(_BATCH):
            try:
                datagram, address = self._socket.recvfrom(MAX_BYTES + 1)
            except OSError:
                return
            self._core.receive(datagram, address, now_ms())


def _ignore(kind: str, peer: object, reason: str) -> None:
    del kind, peer, reason
