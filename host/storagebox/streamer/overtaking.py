"""What if a connection stands still while music plays?

On bad Wi-Fi, TCP's retransmission timer has grown to a second by the time a retransmission is lost
as well, which is more than a board without PSRAM holds. So a connection that is stuck is raced by
new ones; the first that comes through takes over. The device keeps what it has buffered, and the
stream goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from storagebox.streamer import tcp

# No cumulative acknowledgement for so long, though bytes are out: the kernel's retransmission
# timer (200 ms and up) has not helped or has not run, or the network stands still.
STUCK_S = 0.25
# A connection that got on again by itself is well if its next loss would cost no more than this;
# right after a stall its timer counts with the stall's round trips.
WELL_TIMEOUT_S = 0.4
# Connections that race a stuck one start so far apart, for each may lose its SYN; a board lets
# three in at a time.
RACE_EVERY_S = 0.1
RACERS = 2


@dataclass
class Progress:
    """Whether a connection gets on: feed it the time and the bytes acknowledged so far."""

    acknowledged: int = 0
    moved_at_s: float = 0.0

    def stuck(self, now_s: float, written: int, outstanding: int) -> bool:
        """True when bytes have been out for STUCK_S without any of them being acknowledged.

        `written` counts all bytes since the connection began, `outstanding` those of them that
        are not acknowledged.
        """
        acknowledged = written - outstanding
        if acknowledged != self.acknowledged or not outstanding:
            self.acknowledged = acknowledged
            self.moved_at_s = now_s
        return now_s - self.moved_at_s >= STUCK_S


class Overtaking:
    """The race against one link's connection.

    connect() makes another connection, or raises OSError; overtake() runs when one has come
    through in time, and ends the old one. `take` then hands out the new one.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[socket.socket]],
        overtake: Callable[[], None],
    ) -> None:
        self.written = 0  # bytes, on this connection: whoever writes counts them
        self._connect = connect
        self._overtake = overtake
        self._raced: socket.socket | None = None  # None while there is no connection
        self._progress = Progress()
        self._racers: set[asyncio.Task[None]] = set()
        self._raced_at_s = 0.0
        self._successor: socket.socket | None = None

    def begin(self, sock: socket.socket, now_s: float) -> None:
        """`sock` is the connection now."""
        self._raced = sock
        self.written = 0
        self._progress = Progress(0, now_s)

    def end(self) -> None:
        """It has ended: nobody races it any more."""
        self._raced = None
        for racer in self._racers:
            racer.cancel()

    def take(self) -> socket.socket | None:
        """The connection that has won, if one has; it is the caller's then."""
        successor, self._successor = self._successor, None
        return successor

    def moved_at_s(self) -> float:
        """When bytes that are out were last seen to be acknowledged; 0.0 if none are out."""
        outstanding = self._raced is not None and tcp.unacknowledged(self._raced) > 0
        return self._progress.moved_at_s if outstanding else 0.0

    def watch(self, now_s: float) -> None:
        """Race the connection if it is stuck; call often in the middle of music."""
        if self._raced is None:
            return
        outstanding = tcp.unacknowledged(self._raced)
        stuck = self._progress.stuck(now_s, self.written, outstanding)
        if stuck and len(self._racers) < RACERS and now_s - self._raced_at_s >= RACE_EVERY_S:
            self._raced_at_s = now_s
            racer = asyncio.ensure_future(self._race())
            self._racers.add(racer)
            racer.add_done_callback(self._racers.discard)

    async def _race(self) -> None:
        """Connect beside the connection that is stuck, and take over from it."""
        with suppress(OSError):
            sock = await self._connect()
            if self._successor is not None or not self._lame():
                sock.close()
                return
            self._successor = sock
            self._overtake()

    def _lame(self) -> bool:
        """The connection stands still, or its next loss would be a long one."""
        if self._raced is None:
            return False  # it has ended otherwise
        outstanding = tcp.unacknowledged(self._raced)
        stuck = outstanding and self.written - outstanding == self._progress.acknowledged
        return bool(stuck) or tcp.retransmission_timeout_s(self._raced) > WELL_TIMEOUT_S
