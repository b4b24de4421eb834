"""What this emulated board is: facts handed over by the process that started it, and its crystal.

One crystal drives `ticks_us` and I2S, as on the chip. Machine time is CLOCK_MONOTONIC in
microseconds, the unix port's own `ticks_us`.
"""

import ffi
import utime

machine_us = utime.ticks_us
machine_sleep_us = utime.sleep_us

facts = {}
_origin_us = 0
_ticks_start = 0
_ppb = 0
_last_words = []  # functions of the emulator's that are called before the process ends
_exit = ffi.open("libc.so.6").func("v", "_exit", "i")


def start(board):
    """Take the facts (a dict from JSON) and let the crystal run."""
    global _origin_us, _ticks_start, _ppb
    facts.update(board)
    _origin_us = machine_us()
    _ticks_start = board["ticks_start"]
    _ppb = board["ppb"]


def ticks_of(at_us):
    """The board's unwrapped microsecond counter at a machine time."""
    d = at_us - _origin_us
    return _ticks_start + d + d * _ppb // 1000000000


def ticks():
    """The board's unwrapped microsecond counter now."""
    d = machine_us() - _origin_us  # pyright: ignore[reportOperatorIssue]
    return _ticks_start + d + d * _ppb // 1000000000


def machine_ns_of(board_ticks_x1000):
    """Machine time, ns, at an unwrapped counter value in thousandths of a microsecond."""
    d = board_ticks_x1000 - _ticks_start * 1000
    return _origin_us * 1000 + d - d * _ppb // (1000000000 + _ppb)  # pyright: ignore[reportOperatorIssue]


def event(text):
    """A line in the board's log for whoever supervises it; the firmware can't see it."""
    print("[emulator] " + text)


def at_end(function):
    """Have `function` called when the chip resets, for what the emulator itself has to write."""
    _last_words.append(function)


def end(code):
    """End this life at once: no `finally` runs, no file is closed, as on a chip that resets."""
    for function in _last_words:
        function()
    _exit(code)
