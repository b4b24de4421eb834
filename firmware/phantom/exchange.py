"""The four-stamp exchange with a box's house clock, over UDP.

A burst on joining, then a few a second. The socket is connected, so a read allocates nothing; a
read of no bytes has wedged it (micropython-lib #736), and it is made anew.
"""

import socket
from time import ticks_add, ticks_diff, ticks_us

from micropython import const

from .wire import clock as wire

_BURST = const(12)
_BURST_US = const(20000)
# Four a second: the fit wants many fast packets, the radio few.
_STEADY_US = const(250000)
# A socket is made anew at most this often, whatever the network does.
_REOPEN_US = const(500000)


class Exchange:
    """Feeds a HouseClock from the box at `host`, `port`. `token` is this boot's random number."""

    def __init__(self, clock, token):
        self._clock = clock
        self._token = token
        self._request = bytearray(wire.REQUEST_BYTES)
        # One byte more than a reply, so that a longer datagram can't pass for one.
        self._reply = bytearray(wire.REPLY_BYTES + 1)
        self._socket = None
        self._address = None
        self._sequence = 0
        self._sent = 0
        self._next = 0
        self._opened = 0
        self.refused = 0  # datagrams that were no reply of ours

    def start(self, host, port, now):
        """Ask this box from now on, with a burst."""
        self._address = (host, port)
        self._sent = 0
        self._next = now
        self._open(now)

    def stop(self):
        """Ask nobody."""
        self._address = None
        self._close()

    def _open(self, now):
        self._close()
        self._opened = now
        try:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket = s
            s.connect(self._address)
            s.setblocking(False)
        except OSError:
            self._close()

    def _close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def poll(self, now):
        """One turn: read what came, ask if it is time. True when the clock got a sample."""
        if self._address is None:
            return False
        if self._socket is None:
            if ticks_diff(now, self._opened) > _REOPEN_US:
                self._open(now)
            return False
        fed = self._read()
        if ticks_diff(now, self._next) >= 0:
            self._ask(now)
        return fed

    def _read(self):
        fed = False
        # As many as a board's mailbox holds; the rest can wait for the next turn.
        for _ in range(6):
            try:
                n = self._socket.readinto(self._reply)
            except OSError:
                # An unreachable port is reported on the next read; asking goes on.
                return fed
            if n is None:
                return fed
            t4 = ticks_us()
            if n == 0:
                self._close()
                return fed
            if self._take(n, t4):
                fed = True
        return fed

    def _take(self, n, t4):
        reply = wire.parse_reply(self._reply, n)
        if reply is None or reply[1] != self._token:
            self.refused += 1
            return False
        _, _, t1, generation, t2, hold = reply
        if not self._clock.sample(t1 & 0x3FFFFFFF, t4, t2, hold, generation):
            self.refused += 1
            return False
        return True

    def _ask(self, now):
        self._sequence = (self._sequence + 1) & 0xFF
        self._sent += 1
        self._next = ticks_add(now, _BURST_US if self._sent < _BURST else _STEADY_US)
        try:
            wire.pack_request_into(self._request, self._sequence, self._token, ticks_us())
            self._socket.send(self._request)
        except OSError:
            # No route or no buffer just now: the next one will tell.
            pass
