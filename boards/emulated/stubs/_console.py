"""The serial console as MicroPython has it on the chip, over the terminal the supervisor gave us.

Text gets a carriage return at each end of a line, `sys.stdout.buffer` gets nothing; Ctrl-C
interrupts while code runs and is a character while the REPL reads; `micropython.kbd_intr` has its
say. What `sys` and `os` tell of the machine is told of the board.
"""

import io
import os
import struct
import sys
from collections import namedtuple

import ffi
import micropython
from _board import end, facts, rested

_TCGETS = 0x5401
_TCSETS = 0x5402
# struct termios of the kernel: four flag words, a byte, control characters.
_OUTPUT = 4  # where c_oflag stands
_LOCAL = 12  # c_lflag
_INTERRUPT = 17  # c_cc[VINTR]
_OPOST = 1
_ISIG = 1
_O_RDWR = 2

CTRL_C = 3

_libc = ffi.open("libc.so.6")
_ioctl = _libc.func("i", "ioctl", "iLp")
_read = _libc.func("i", "read", "ipi")
_termios = bytearray(64)
_real_sys = sys
_buffer = bytearray(256)  # of stdin, MICROPY_HW_STDIN_BUFFER_LEN
_have = 0
_taken = 0


def attach(path):
    """Make the terminal at `path` ours: stdin, stdout, and where Ctrl-C comes from."""
    # A leader of a session gets the first terminal that it opens as its own.
    fd = _libc.func("i", "open", "si")(path, _O_RDWR)
    dup2 = _libc.func("i", "dup2", "ii")
    for standard in (0, 1, 2):
        dup2(fd, standard)
    _libc.func("i", "close", "i")(fd)
    _ioctl(0, _TCGETS, _termios)
    booting()


def _set(at, flag, on):
    word = struct.unpack_from("<I", _termios, at)[0]
    struct.pack_into("<I", _termios, at, word | flag if on else word & ~flag)


def reading():
    """From now on the REPL reads: Ctrl-C is a character, and what is written goes out as it is."""
    _set(_LOCAL, _ISIG, False)
    _set(_OUTPUT, _OPOST, False)
    _ioctl(0, _TCSETS, _termios)


def running():
    """From now on code runs: Ctrl-C interrupts, and text gets its carriage returns."""
    _termios[_INTERRUPT] = CTRL_C
    _set(_LOCAL, _ISIG, True)
    _set(_OUTPUT, _OPOST, True)
    _ioctl(0, _TCSETS, _termios)


def booting():
    """Text gets its carriage returns, and Ctrl-C waits for whoever reads next."""
    _set(_LOCAL, _ISIG, False)
    _set(_OUTPUT, _OPOST, True)
    _ioctl(0, _TCSETS, _termios)


def kbd_intr(character):
    """micropython.kbd_intr: the character that interrupts, or -1 for none."""
    if character >= 0:
        _termios[_INTERRUPT] = character
    _set(_LOCAL, _ISIG, character >= 0)
    _ioctl(0, _TCSETS, _termios)


# Reading and writing, for the REPL


def byte():
    """The next byte that the host sends."""
    global _taken
    if _taken == _have:
        _fill(len(_buffer))
    _taken += 1
    return _buffer[_taken - 1]


def some(most):
    """At least one and up to `most` bytes that the host sends."""
    global _taken
    if _taken == _have:
        _fill(most)
    start = _taken
    _taken = min(_have, start + most)
    return memoryview(_buffer)[start:_taken]


def untake(count):
    """Give the last `count` bytes of `some` back."""
    global _taken
    _taken -= count


def _fill(most):
    global _have, _taken
    _have = _read(0, _buffer, min(most, len(_buffer)))
    rested()
    _taken = 0
    if _have <= 0:
        end(0)  # the emulator is gone


def write(text):
    """Send text or bytes to the host as they are, while the REPL reads."""
    _real_sys.stdout.buffer.write(text)


# What firmware sees


class _Raw(io.IOBase):
    """sys.stdout.buffer."""

    def write(self, data, *limits):
        _set(_OUTPUT, _OPOST, False)
        _ioctl(0, _TCSETS, _termios)
        try:
            return _real_sys.stdout.buffer.write(data, *limits)
        finally:
            _set(_OUTPUT, _OPOST, True)
            _ioctl(0, _TCSETS, _termios)


class _Text(io.IOBase):
    """sys.stdout."""

    buffer = _Raw()

    def write(self, data, *limits):
        return _real_sys.stdout.write(data, *limits)


class _Over:
    """A built-in module with some names of the board's own."""

    def __init__(self, module, **own):
        self._module = module
        for name, value in own.items():
            setattr(self, name, value)

    def __getattr__(self, name):
        return getattr(self._module, name)


def install():
    """Stand before `sys`, `os` and `micropython`."""
    release = ".".join(str(n) for n in sys.implementation.version[:3])
    version = sys.version.split("; ")[-1].split(" ", 1)[-1]
    uname = namedtuple("uname", ("sysname", "nodename", "release", "version", "machine"))
    named = namedtuple("implementation", ("name", "version", "_machine", "_mpy", "_build"))  # pyright: ignore[reportGeneralTypeIssues]
    sort = "esp32"
    machine = facts["machine"]
    own = (
        sys.implementation.name,
        sys.implementation.version,
        machine,
        sys.implementation._mpy,
        facts["build"],
    )
    modules = sys.modules
    modules["micropython"] = _Over(micropython, kbd_intr=kbd_intr)
    modules["os"] = _Over(os, uname=lambda: uname(sort, sort, release, version, machine))
    modules["sys"] = _Over(sys, stdout=_Text(), platform=sort, implementation=named(*own))


def banner():
    """The two lines with which the friendly REPL begins."""
    version = _real_sys.version.split("; ")[-1]
    return '%s; %s\r\nType "help()" for more information.\r\n' % (version, facts["machine"])
