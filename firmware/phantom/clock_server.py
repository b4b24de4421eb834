"""Tells other boards house time: the answering side of the four-stamp exchange.

A board has no kernel that stamps arrivals. So every turn of the loop looks at the socket while
somebody asks, and the stamp is the first thing after a read. How long a request lay in the mailbox
before the loop came round is what the exchange can't see: it is never negative, and the least of a
second's counts. Looking allocates nothing.
"""

import select
import socket
from time import ticks_add, ticks_diff, ticks_ms, ticks_us

from micropython import const

from .wire import CLOCK_PORT
from .wire import clock as wire

# A little more than a request, so that a longer datagram can't pass for one.
_DATAGRAM_BYTES = wire.REQUEST_BYTES + 1
# Twice a mailbox; then the music gets its turn.
_BATCH = const(12)
# Whoever follows asks eight times a second; with nobody asking, a look now and then will do.
_BUSY_MS = const(1000)
_IDLE_LOOK_MS = const(20)
_REOPEN_MS = const(1000)


class ClockServer:
    """Answers from `clock`, on UDP `port`. Without house time it answers nothing."""

    def __init__(self, clock, port=CLOCK_PORT):
        self._clock = clock
        self._reply = bytearray(wire.REPLY_BYTES)
        self.port = port
        self.socket = None
        self._poller = select.poll()
        self._look_ms = ticks_ms()  # when to look again, or to try for the port again
        self._asked_ms = self._look_ms
        self.answered = 0
        self.refused = 0  # datagrams that were no request, or came before house time was known

    def poll(self, now_ms):
        """One turn of the loop: answer who has asked."""
        if ticks_diff(now_ms, self._look_ms) < 0:
            return
        if self.socket is None:
            self._look_ms = ticks_add(now_ms, _REOPEN_MS)
            try:
                self.open()
                self._poller.register(self.socket, select.POLLIN)
            except OSError as error:
                print("clock: can't take UDP port", self.port, error)
            return
        for _ in self._poller.ipoll(0):
            self._asked_ms = now_ms
            if self.serve() is False:
                self._poller.unregister(self.socket)
                self.close()
                return
        busy = ticks_diff(now_ms, self._asked_ms) < _BUSY_MS
        self._look_ms = now_ms if busy else ticks_add(now_ms, _IDLE_LOOK_MS)

    def open(self):
        """Take the port. Raises OSError if it can't be had."""
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            s.setblocking(False)
            s.bind(("0.0.0.0", self.port))
        except OSError:
            s.close()
            raise
        self.socket = s

    def close(self):
        """Answer no more."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def serve(self):
        """Answer what has come. False if the socket is of no more use: a read of no bytes has
        wedged it (micropython-lib #736). True if more may be waiting, None if not."""
        for _ in range(_BATCH):
            try:
                data, asker = self.socket.recvfrom(_DATAGRAM_BYTES)
            except (OSError, MemoryError):  # nothing there, or no room for it: it asks again
                return None
            read = ticks_us()
            if not data:
                return False
            self._answer(data, asker, read)
        return True

    def _answer(self, data, asker, read):
        clock = self._clock
        request = wire.parse_request(data)
        if request is None or not clock.synced:
            self.refused += 1
            return
        sequence, token, t1 = request
        t2 = clock.house_us(read)
        buffer = self._reply
        hold = ticks_diff(ticks_us(), read)
        wire.pack_reply_into(buffer, sequence, token, t1, clock.generation, t2, hold)
        try:
            self.socket.sendto(buffer, asker)
        except OSError:
            return  # no buffer just now: the asker asks again
        self.answered += 1
