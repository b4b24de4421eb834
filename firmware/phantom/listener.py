"""Takes in the boxes that connect: a few at a time, each on a link of its own."""

import socket
from time import ticks_add, ticks_diff

from micropython import const

from .link import READ_BYTES, Connection
from .wire import LINK_PORT, mux

# Two boxes at a time: the one that plays and one that takes over, plus one being refused.
CONNECTIONS = const(3)
_RETRY_MS = const(1000)


class Listener:
    """Accepts boxes. `greet(connection)` is called when one has said hello, `lost(connection)`
    when it is gone; `membership` says who we are."""

    def __init__(self, membership, greet, lost, port=LINK_PORT):
        self._membership = membership
        self._greet = greet
        self._lost = lost
        self._port = port
        self._socket = None
        self._next_try_ms = None
        self.connections = []
        read_buffer = bytearray(READ_BYTES)
        self._spare = [Connection(self, read_buffer) for _ in range(CONNECTIONS)]
        self.malformed = 0  # connections closed for breaking the protocol

    def poll(self, now_ms):
        """One turn over all connections."""
        if self._socket is None:
            self._listen(now_ms)
            return
        for connection in self.connections:
            if not connection.poll(now_ms):
                self._drop(connection)
                return

    def accept(self, now_ms):
        """Take a waiting connection; a few times a second is enough."""
        if self._socket is None or not self._spare:
            return
        try:
            sock, peer = self._socket.accept()
        except OSError:
            return
        sock.setblocking(False)
        try:
            sock.setsockopt(6, 1, 1)  # TCP_NODELAY: answers are small
        except OSError:
            pass
        connection = self._spare.pop()
        connection.begin(sock, peer, now_ms)
        self.connections.append(connection)

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

    def greet(self, connection):
        """A connection said hello: answer it, and let it replace an older one of the same box."""
        for other in self.connections:
            if other is not connection and other.identity == connection.identity:
                other.goodbye(mux.REASON_REPLACED)
                self._drop(other)
                break
        us = self._membership
        connection.link_message(mux.hello(mux.ROLE_DEVICE, us.id, us.boot, us.installation))
        self._greet(connection)

    def _drop(self, connection):
        connection.close()
        self.connections.remove(connection)
        self._lost(connection)
        connection.sink = None
        self._spare.append(connection)
