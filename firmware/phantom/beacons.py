"""A board's registrar with its socket: who else is here, and that we are.

The loop asks every few milliseconds whether a datagram has come, which allocates nothing; reading
one and proving its MAC costs about a millisecond, so it is two a turn.
"""

import select
import socket
from time import ticks_diff

from micropython import const

from .registrar import Me, Registrar
from .rpc import INVALID_PARAMS, RpcError
from .wire import DISCOVERY_PORT, discovery
from .wire.mux import ROLE_DEVICE

# A board queues six datagrams, and beacons that an access point held follow each other at 2 ms.
_LOOK_MS = const(4)
_READS = const(2)
_TICK_MS = const(100)
# An address may change when a lease ends: looked at so often.
_ADDRESS_MS = const(500)
_REOPEN_MS = const(500)
_TELL_MS = const(1000)
# A peer takes some 600 bytes of an ESP32's heap.
_CAPACITY = const(64)
_PAGE = const(8)  # peers in an answer: some 250 bytes each at most
_REFUSED = ("malformed", "foreign", "forged", "replayed", "conflicts", "full", "unanswered")


class Beacons:
    """The service of discovery. `radio.network()` gives (address, broadcast address) or None.

    Whoever wants to know of changes appends a callback(kind, peer, reason) to `watchers`.
    """

    def __init__(self, membership, name, radio, random32, port, properties):
        self._membership = membership
        self._radio = radio
        self._properties = properties
        me = Me(
            membership.id,
            name,
            ROLE_DEVICE,
            membership.boot,
            membership.installation,
            membership.key,
            port,
        )
        me.services = {"link": port}
        self.watchers = []
        self.registrar = Registrar(
            me, self._send, lambda limit: random32() % limit, self._changed, _CAPACITY
        )
        self.registrar.counters["unsent"] = 0
        self._poller = select.poll()
        self._socket = None
        self._everybody = ("255.255.255.255", DISCOVERY_PORT)
        self._more = False
        self._looked = 0
        self._ticked = 0
        self._address_looked = None
        self._opened = None
        self._told = 0
        self._started = False
        self._rejoin = False
        membership.watch(self._joined)
        properties.declare("registrar.peers", 0)
        properties.declare("registrar.refused", {})

    # In the loop

    def poll(self, now_ms):
        """Take a datagram if one has come."""
        if self._socket is None:
            return
        if not self._more and ticks_diff(now_ms, self._looked) < _LOOK_MS:
            return
        self._looked = now_ms
        for _ in range(_READS):
            self._more = False
            for _ in self._poller.ipoll(0):
                self._more = True
            if not self._more:
                return
            self._read(now_ms)
            if self._socket is None:
                return

    def _read(self, now_ms):
        try:
            datagram, address = self._socket.recvfrom(discovery.MAX_BYTES + 1)
        except OSError:
            self._more = False
            return
        except MemoryError:  # the heap is full or in pieces just now: beacons come again
            self._more = False
            self.registrar.counters["full"] += 1
            return
        if not datagram:
            # A read of no bytes wedges a socket for good (micropython-lib #736).
            self.registrar.counters["malformed"] += 1
            self._close()
            return
        try:
            self.registrar.receive(datagram, address, now_ms)
        except MemoryError:
            self.registrar.counters["full"] += 1

    # Off the hot path

    def chore(self, now_ms):
        """Follow our address, let the registrar's time pass, tell how many peers there are."""
        if self._address_looked is None or (
            ticks_diff(now_ms, self._address_looked) >= _ADDRESS_MS
        ):
            self._address_looked = now_ms
            self._look_at_address(now_ms)
        if self._rejoin:
            self._rejoin = False
            member = self._membership
            self.registrar.join(member.installation, member.key, now_ms)
        if self._started and ticks_diff(now_ms, self._ticked) >= _TICK_MS:
            self._ticked = now_ms
            self.registrar.tick(now_ms)
        self._tell(now_ms)

    def _tell(self, now_ms):
        if ticks_diff(now_ms, self._told) < _TELL_MS:
            return
        self._told = now_ms
        self._properties.set("registrar.peers", len(self.registrar.peers()))
        counters = self.registrar.counters
        refused = {}
        for kind in _REFUSED:
            if counters[kind]:
                refused[kind] = counters[kind]
        self._properties.set("registrar.refused", refused)

    def _look_at_address(self, now_ms):
        network = self._radio.network()
        addresses = [network[0]] if network else []
        if network:
            self._everybody = (network[1], DISCOVERY_PORT)
            if self._socket is None:
                self._open(now_ms)
        if self._started:
            self.registrar.set_addresses(addresses, now_ms)
        elif network and self._socket is not None:
            self._started = True
            self.registrar.start(addresses, now_ms)

    def _open(self, now_ms):
        if self._opened is not None and ticks_diff(now_ms, self._opened) < _REOPEN_MS:
            return
        self._opened = now_ms
        s = None
        try:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(1, socket.SO_REUSEADDR, 1)
            s.setsockopt(1, socket.SO_BROADCAST, 1)
            s.bind(("0.0.0.0", DISCOVERY_PORT))
            s.setblocking(False)
            self._poller.register(s, select.POLLIN)
            self._socket = s
        except OSError as error:
            print("beacons: can't use port", DISCOVERY_PORT, error)
            if s is not None:
                s.close()

    def _close(self):
        self._poller.unregister(self._socket)
        self._socket.close()
        self._socket = None
        self._more = False
        self._address_looked = None  # so that it is opened anew at once

    def _send(self, datagram, address):
        if self._socket is None:
            return
        try:
            self._socket.sendto(datagram, address or self._everybody)
        except OSError:
            # No route or no buffer just now: the next one will tell.
            self.registrar.counters["unsent"] += 1

    def _joined(self):
        self._rejoin = True  # at the next chore: who adopts us waits for an answer

    def _changed(self, kind, peer, reason):
        if kind == "conflict":
            identity = peer.id if peer is not None else self._membership.id
            print("beacons: two devices are called", identity, "- the other is at", reason)
        for watcher in self.watchers:
            watcher(kind, peer, reason)

    # Peers of the link

    def serve(self, connection):
        """Let a peer read our list."""
        connection.rpc.register("registrar.list", self._list)

    def lost(self, connection):
        """Nothing of it is kept."""

    def goodbye(self):
        """Say that we go; call it three times, some 30 ms apart."""
        self.registrar.goodbye()

    def _list(self, after=""):
        if not isinstance(after, str):
            raise RpcError(INVALID_PARAMS, "after must be an id, the last of the page before")
        later = [peer for peer in self.registrar.peers() if peer.id > after]
        later.sort(key=lambda peer: peer.id)
        page = [
            {
                "id": peer.id,
                "name": peer.name,
                "role": peer.role,
                "boot": peer.boot,
                "addresses": peer.addresses,
                "port": peer.port,
                "services": peer.services,
                "flags": peer.flags,
                "rtt_ms": peer.rtt_ms,
            }
            for peer in later[:_PAGE]
        ]
        return {"peers": page, "next": page[-1]["id"] if len(later) > _PAGE else None}
