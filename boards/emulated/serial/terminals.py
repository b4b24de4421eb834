"""Pseudo-terminals as a serial line needs them."""

from __future__ import annotations

import array
import fcntl
import os
import pty
import select
import termios
import tty

_INTERRUPT = b"\x03"
_NONE = b"\x00"


def open_pair() -> tuple[int, int]:
    """(master, slave) of a pseudo-terminal that changes no byte; the master does not block."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    return master, slave


def interrupt_on_ctrl_c(slave: int) -> None:
    """Have Ctrl-C become a signal for whose terminal `slave` is; it is off until asked for."""
    settings = termios.tcgetattr(slave)
    # NOFLSH: what waits to be read is not thrown away with it; on a board nothing is.
    settings[3] |= termios.NOFLSH
    settings[6][termios.VINTR] = _INTERRUPT
    settings[6][termios.VQUIT] = settings[6][termios.VSUSP] = _NONE
    # When text is post-processed, it is for carriage returns.
    settings[1] = (settings[1] | termios.ONLCR) & ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, settings)


def interrupts(slave: int) -> bool:
    """Whether Ctrl-C is a signal now."""
    return bool(termios.tcgetattr(slave)[3] & termios.ISIG)


def waiting(slave: int) -> int:
    """Bytes that its reader has not taken yet."""
    count = array.array("i", [0])
    fcntl.ioctl(slave, termios.FIONREAD, count)
    return count[0]


def discard(slave: int) -> None:
    """Forget what its reader has not taken."""
    termios.tcflush(slave, termios.TCIFLUSH)


def forget(port: str) -> None:
    """Drop what whoever closed the port has left unread; the next one has no part in it."""
    slave = os.open(port, os.O_RDWR | os.O_NOCTTY)
    termios.tcflush(slave, termios.TCIFLUSH)
    os.close(slave)


def hung_up(master: int) -> bool:
    """Whether nobody has the other end open."""
    poll = select.poll()
    poll.register(master, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
