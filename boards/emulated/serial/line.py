"""A board's serial line: bytes between whoever opens the port and what runs on the chip.

As on a board, what is sent while nobody has the port open is lost, the chip's buffer for what
comes in holds 256 bytes, and Ctrl-C is seen even if that is full. All that it sends is logged too.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from boards.emulated.serial import terminals

STDIN_BUFFER = 256  # bytes, MICROPY_HW_STDIN_BUFFER_LEN
_CTRL_C = b"\x03"
_CHUNK = 4096
# No more is read from the chip while this much waits for the host, as a line takes its time ...
_PENDING = 16 * 1024
# ... but a host that takes nothing for this long has lost it: a board does not stop for that.
_STUCK_S = 1.0
# A pseudo-terminal does not tell when it is opened again, nor when its reader has read.
_LOOK_S = 0.02
_ROOM_S = 0.001
# Tools close a port and open it again at once; only after this is it taken as closed.
CLOSED_S = 0.3

Receiver = Callable[[bytes], None]


@dataclass(frozen=True)
class _Peer:
    """Who has the line on the chip's side, and what it wants to know of the port."""

    receiver: Receiver | None = None
    closed: Callable[[], None] | None = None
    opened: Callable[[], None] | None = None


_INTERPRETER = _Peer()


class SerialLine:
    """The port of one board. `port` is what tools open, `terminal` what the interpreter does."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab", buffering=0)
        self._host, slave = terminals.open_pair()
        self.port = os.ttyname(slave)
        os.close(slave)  # from now on an unopened port shows as such
        # The chip's own end stays open, so that it outlives the interpreter.
        self._chip, self._chip_end = terminals.open_pair()
        terminals.interrupt_on_ctrl_c(self._chip_end)
        self.terminal = os.ttyname(self._chip_end)
        self._to_host = b""
        self._to_chip = b""
        self._moved = time.monotonic()  # when the host last took something
        self._gone: float | None = time.monotonic()  # since when nobody has the port open
        self._peer = _INTERPRETER
        self._told_closed = False
        self._watch: Callable[[bytes], bool] | None = None
        self._said: deque[bytes] = deque()  # by others than the interpreter
        self._lock = threading.Lock()  # of _to_chip; nothing is called while it is held
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._wake, False)
        self._ends = False
        self._thread = threading.Thread(target=self._relay, name="serial line", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """The board is no more: its port goes."""
        self._ends = True
        self._nudge()
        self._thread.join()
        for fd in (self._host, self._chip, self._chip_end, self._wake, self._woken):
            os.close(fd)
        self._log.close()

    # Who is on the chip's side

    def reset(self) -> None:
        """The chip starts over: what it has not read is lost."""
        with self._lock:
            self._to_chip = b""
            terminals.discard(self._chip_end)

    def hand_to(
        self,
        receiver: Receiver | None,
        closed: Callable[[], None] | None = None,
        opened: Callable[[], None] | None = None,
    ) -> None:
        """Have what the host sends go to `receiver`, or to the interpreter again.

        `closed` is called when nobody has had the port open for CLOSED_S, `opened` when somebody
        opens it. All run on the line's own thread. The interpreter says nothing meanwhile.
        """
        self._peer = _Peer(receiver, closed, opened)
        self._told_closed = False
        self._nudge()

    def watch(self, seen: Callable[[bytes], bool]) -> None:
        """Show `seen` what the host sends to the interpreter; True takes it away from there."""
        self._watch = seen

    def say(self, data: bytes, logged: bool = True) -> None:
        """Send something to the host that is not from the interpreter."""
        if data:
            if logged:
                self._log.write(data)
            self._said.append(data)
            self._nudge()

    # The relay

    def _nudge(self) -> None:
        with suppress(OSError):
            os.write(self._woken, b"!")

    def _relay(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._ends:
                for fd, events in self._interest():
                    if events:
                        selector.register(fd, events)
                ready = {key.fd: events for key, events in selector.select(self._timeout())}
                for fd in (self._host, self._chip):
                    with suppress(KeyError):
                        selector.unregister(fd)
                with suppress(BlockingIOError):
                    os.read(self._wake, _CHUNK)
                self._turn(ready)

    def _interest(self) -> list[tuple[int, int]]:
        host = 0 if self._gone is not None else selectors.EVENT_READ
        if host and self._to_host:
            host |= selectors.EVENT_WRITE
        if len(self._to_chip) > _PENDING:
            host &= ~selectors.EVENT_READ
        chip = selectors.EVENT_READ if len(self._to_host) < _PENDING else 0
        return [(self._host, host), (self._chip, chip)]

    def _timeout(self) -> float | None:
        if self._to_chip:
            return _ROOM_S
        return _LOOK_S if self._gone is not None or self._to_host else None

    def _turn(self, ready: dict[int, int]) -> None:
        self._look_at_the_port()
        if ready.get(self._chip, 0) & selectors.EVENT_READ:
            self._forward(_read(self._chip))
        if ready.get(self._host, 0) & selectors.EVENT_READ:
            self._receive(_read(self._host))
        self._flush_to_host()
        self._flush_to_chip()

    def _look_at_the_port(self) -> None:
        now = time.monotonic()
        if not terminals.hung_up(self._host):
            if self._gone is not None and self._peer.opened is not None:
                self._peer.opened()
            self._gone = None
            self._told_closed = False
            return
        if self._gone is None:
            self._gone = now
            while data := _read(self._host):  # the last words before it was closed
                self._receive(data)
            terminals.forget(self.port)
        self._to_host = b""
        closed = self._peer.closed
        if closed is not None and not self._told_closed and now - self._gone > CLOSED_S:
            self._told_closed = True
            closed()

    def _forward(self, data: bytes) -> None:
        if self._peer.receiver is not None:
            return  # of an interpreter that is being stopped
        if data:
            self._log.write(data)
        if self._gone is None:
            self._to_host += data

    def _receive(self, data: bytes) -> None:
        if self._peer.receiver is not None:
            self._peer.receiver(data)
        elif self._watch is None or not self._watch(data):
            with self._lock:
                self._to_chip += data

    def _flush_to_host(self) -> None:
        while self._said:
            said = self._said.popleft()
            if self._gone is None:
                self._to_host += said
        now = time.monotonic()
        if not self._to_host:
            self._moved = now
            return
        sent = _write(self._host, self._to_host)
        self._to_host = self._to_host[sent:]
        if sent:
            self._moved = now
        elif now - self._moved > _STUCK_S:
            self._to_host = b""

    def _flush_to_chip(self) -> None:
        with self._lock:
            if not self._to_chip:
                return
            room = STDIN_BUFFER - terminals.waiting(self._chip_end)
            if room > 0:
                self._to_chip = self._to_chip[_write(self._chip, self._to_chip[:room]) :]
            if _CTRL_C in self._to_chip and terminals.interrupts(self._chip_end):
                # What does not fit the chip's buffer is lost there, but never Ctrl-C.
                self._to_chip = self._to_chip[self._to_chip.rindex(_CTRL_C) + 1 :]
                _write(self._chip, _CTRL_C)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _CHUNK)
    except OSError:  # closed meanwhile, or nothing there after all
        return b""


def _write(fd: int, data: bytes) -> int:
    try:
        return os.write(fd, data)
    except OSError:
        return 0
