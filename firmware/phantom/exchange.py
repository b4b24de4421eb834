"""The four-stamp exchange with a house clock, a box's or another board's, over UDP.

A burst on joining, then some a second. The loop looks at the socket too seldom to stamp arrivals
well, so right after asking the exchange waits on the spot, for as long as fast replies take: it is
the fast ones that the clock lives on. The socket is connected, so a read allocates nothing; a read
of no bytes has wedged it (micropython-lib #736), and it is made anew. So it is where no answer
comes for long: it may still send from an address that this device had before.
"""

import socket
from time import sleep_us, ticks_add, ticks_diff, ticks_us

from micropython import const

from .wire import clock as wire

_BURST = const(24)
_BURST_US = const(10000)
# Then for half a minute more often than later: the line has little to lean on yet.
_SETTLING = const(750)
_SETTLING_US = const(40000)
# Eight a second: the fit wants many fast packets; each costs up to 4 ms of the loop.
_STEADY_US = const(125000)
# How long to wait on the spot for a reply: what the fastest took and a little, if that is short.
_WAIT_MORE_US = const(1000)
_WAIT_MOST_US = const(4000)
_LOOK_US = const(20)
# A socket is made anew at most this often, whatever the network does.
_REOPEN_US = const(500000)
# Well before the election passes a mute server over for a minute.
_SILENT_US = const(1500000)


class Exchange:
    """Feeds a HouseClock from the server it is told. `token` is this boot's random number."""

    def __init__(self, clock, token):
        self._clock = clock
        self._token = token
        self._request = bytearray(wire.REQUEST_BYTES)
        # One byte more than a reply, so that a longer datagram can't pass for one.
        self._reply = bytearray(wire.REPLY_BYTES + 1)
        self._socket = None
        self._address = ("0.0.0.0", 0)
        self._asking = False
        self._sequence = 0
        self._sent = 0
        self._next = 0
        self._opened = 0
        self._heard = 0
        self.fed = 0  # samples that the clock took
        self.refused = 0  # datagrams that were no reply of ours

    def start(self, host, port, now):
        """Ask this server from now on, with a burst. What is known of the timeline stays."""
        self._clock.switch(now)
        self._address = (host, port)
        self._asking = True
        self._sent = 0
        self._next = now
        self._heard = now
        self._open(now)

    def stop(self):
        """Ask nobody."""
        self._asking = False
        self._close()

    def _open(self, now):
        self._close()
        self._opened = now
        try:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket = s
            s.connect(self._address)
            s.setblocking(False)
        except (OSError, MemoryError):  # a socket half made would block the loop
            self._close()

    def _close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def poll(self, now):
        """One turn: read what came, ask if it is time. True when the clock got a sample."""
        if not self._asking:
            return False
        if self._socket is None:
            if ticks_diff(now, self._opened) > _REOPEN_US:
                self._open(now)
            return False
        fed = self._read()
        if ticks_diff(now, self._heard) > _SILENT_US:
            self._heard = now
            self._open(now)
        if ticks_diff(now, self._next) >= 0 and self._socket is not None:
            self._ask(now)
            fed = self._wait() or fed
        return fed

    def _wait(self):
        since = ticks_us()
        limit = min(self._clock.best_rtt_us + _WAIT_MORE_US, _WAIT_MOST_US)
        while self._socket is not None and ticks_diff(ticks_us(), since) < limit:
            if self._read():
                return True
            sleep_us(_LOOK_US)
        return False

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
        self._heard = t4
        _, _, t1, generation, t2, hold = reply
        if not self._clock.sample(t1 & 0x3FFFFFFF, t4, t2, hold, generation):
            self.refused += 1
            return False
        self.fed += 1
        return True

    def _ask(self, now):
        self._sequence = (self._sequence + 1) & 0xFF
        self._sent += 1
        pause = _STEADY_US
        if self._sent < _BURST:
            pause = _BURST_US
        elif self._sent < _SETTLING:
            pause = _SETTLING_US
        self._next = ticks_add(now, pause)
        try:
            wire.pack_request_into(self._request, self._sequence, self._token, ticks_us())
            self._socket.send(self._request)
        except OSError:
            # No route or no buffer just now: the next one will tell.
            pass
