"""Takes in the peers that connect: a few at a time, each on a link of its own.

How does a stranger not keep the family out? Whoever connects waits at the *door*, in next to no
memory, until it has proved who it is, for 2 s at most. When more come than the door holds, the
address with most at the door makes room first, so that one address can't crowd out another.
"""

import socket
from time import ticks_add, ticks_diff

from micropython import const

from .handshake import Handshake
from .link import READ_BYTES, Connection, Seat
from .wire import LINK_PORT, mux

# Two boxes, the one that plays and one that takes over, and a person's command line.
SEATS = const(3)
# With those, and four for listening, time and discovery, nine of a board's ten sockets; the tenth
# is for the moment between accepting a peer and showing another one out.
DOOR = const(2)
# A peer of an address of its own is not shown out sooner: two round trips and a loop or two.
_PATIENCE_MS = const(250)
# Connections taken a turn; there are some twenty turns a second.
_ACCEPTS = const(3)
_RETRY_MS = const(1000)


class Listener:
    """Accepts peers. `greet(connection)` is called when one has proved who it is,
    `lost(connection)` when it is gone, `refused(kind)` for each that broke a rule.

    connections: those that have proved themselves. random_bytes(n) gives n unguessable bytes.
    """

    def __init__(self, membership, greet, lost, refused, random_bytes, port=LINK_PORT):
        self._membership = membership
        self._greet = greet
        self._lost = lost
        self.refused = refused
        self._random = random_bytes
        self._port = port
        self._socket = None
        self._next_try_ms = None
        self.connections = []
        self._door = []  # the oldest first
        self._seats = [Seat() for _ in range(SEATS)]
        read_buffer = bytearray(READ_BYTES)
        self._spare = [Connection(self, read_buffer) for _ in range(SEATS + DOOR)]

    def poll(self, now_ms):
        """One turn over all connections."""
        if self._socket is None:
            self._listen(now_ms)
            return
        for connection in self.connections:
            if not connection.poll(now_ms):
                self._drop(connection)
                return
        for connection in self._door:
            if not connection.poll(now_ms):
                self._drop(connection)
                return

    def accept(self, now_ms):
        """Take waiting connections; some twenty times a second is enough."""
        if self._socket is None:
            return
        for _ in range(_ACCEPTS):
            try:
                sock, peer = self._socket.accept()
            except OSError:
                return
            if len(self._door) >= DOOR and not self._make_room(peer[0], now_ms):
                self.refused("crowded")
                sock.close()
                continue
            sock.setblocking(False)
            try:
                sock.setsockopt(6, 1, 1)  # TCP_NODELAY: answers are small
            except OSError:
                pass
            connection = self._spare.pop()
            connection.begin(sock, peer, now_ms)
            self._door.append(connection)

    def _make_room(self, host, now_ms):
        """Show somebody out for a newcomer from `host`; False if it must be the newcomer."""
        crowding = host
        most = self._at_door(host) + 1
        for connection in self._door:
            if self._at_door(connection.host) > most:
                crowding = connection.host
                most = self._at_door(crowding)
        victim = self._door[0]
        if most > 1:
            for connection in reversed(self._door):
                if connection.host == crowding:
                    victim = connection
        elif ticks_diff(now_ms, victim.began_ms) < _PATIENCE_MS:
            return False
        self.refused("crowded")
        self._drop(victim)
        return True

    def _at_door(self, host):
        count = 0
        for connection in self._door:
            count += connection.host == host
        return count

    def _listen(self, now_ms):
        if self._next_try_ms is not None and ticks_diff(now_ms, self._next_try_ms) < 0:
            return
        self._next_try_ms = ticks_add(now_ms, _RETRY_MS)
        s = None
        try:
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            s.setsockopt(1, socket.SO_REUSEADDR, 1)
            s.bind(("0.0.0.0", self._port))
            s.listen(2)
            s.setblocking(False)
            self._socket = s
        except OSError as error:
            print("link: can't listen on port", self._port, error)
            if s is not None:
                s.close()

    def handshake(self):
        """A new one for a peer that says hello."""
        nonce = self._random(mux.NONCE_BYTES)
        return Handshake(self._membership, mux.ROLE_DEVICE, False, nonce)

    def admit(self, connection, proof):
        """It has proved who it is: it replaces an older one of the same peer, and is served."""
        for other in self.connections:
            if other.identity == connection.identity:
                other.goodbye(mux.REASON_REPLACED)
                self._drop(other)
                break
        if not self._seats and not self._rank(connection):
            self.refused("crowded")
            connection.goodbye(mux.REASON_CROWDED)
            raise OSError(0)
        self._door.remove(connection)
        self.connections.append(connection)
        connection.sit(self._seats.pop())
        connection.link_message(proof)
        self._greet(connection)

    def _rank(self, connection):
        """A box is worth more than a person's command line."""
        if connection.role != mux.ROLE_BOX:
            return False
        for other in self.connections:
            if other.role != mux.ROLE_BOX:
                other.goodbye(mux.REASON_CROWDED)
                self._drop(other)
                return True
        return False

    def drop_all(self):
        """Say goodbye to everybody: we belong to another installation now, or to none."""
        for group in (self.connections, self._door):
            while group:
                group[0].goodbye(mux.REASON_SHUTDOWN)
                self._drop(group[0])

    def _drop(self, connection):
        seat = connection.seat
        connection.close()
        if seat is None:
            self._door.remove(connection)
        else:
            self.connections.remove(connection)
            connection.seat = None
            self._seats.append(seat)
            self._lost(connection)
        connection.sink = None
        self._spare.append(connection)
