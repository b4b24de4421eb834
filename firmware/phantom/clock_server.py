"""Tells other boards house time: the answering side of the four-stamp exchange.

A board has no kernel that stamps arrivals. So a task of its own waits for the socket, and the
stamp is the first thing after a read. How long a request lay in the mailbox before the loop came
round is what the exchange can't see: it is never negative, and the least of a second's counts.
"""

import socket
from time import ticks_diff, ticks_us

from .wire import CLOCK_PORT
from .wire import clock as wire

# A little more than a request, so that a longer datagram can't pass for one.
_DATAGRAM_BYTES = wire.REQUEST_BYTES + 1
# Twice a mailbox; then the music gets its turn.
_BATCH = 12


class ClockServer:
    """Answers from `clock`, on UDP `port`. Without house time it answers nothing."""

    def __init__(self, clock, port=CLOCK_PORT):
        self._clock = clock
        self._reply = bytearray(wire.REPLY_BYTES)
        self.port = port
        self.socket = None
        self.answered = 0
        self.refused = 0  # datagrams that were no request, or came before house time was known

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
            except OSError:
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
