"""What this emulated board is: facts handed over by the process that started it, and its crystal.

One crystal drives `ticks_us` and I2S, as on the chip. Machine time is CLOCK_MONOTONIC in
microseconds, the unix port's own `ticks_us`.
"""

import ffi
import utime

machine_us = utime.ticks_us

facts = {}
_origin_us = 0
_ticks_start = 0
_ppb = 0
_last_words = []  # functions of the emulator's that are called before the process ends
_libc = ffi.open("libc.so.6")
_exit = _libc.func("v", "_exit", "i")
_processor_us = _libc.func("l", "clock", "")

# Kept from running for so long, a board of this machine is late as no chip would be. In pieces it
# counts as well, but for a quarter of the time: a processor that much slower is still a chip's.
_STALL_US = 25000
_SPARE = 4
_PIECE_US = 2000  # less is how exactly this machine sleeps
_log = None
_stalls = None  # the file that whoever judges this board reads of it, if it is one
_woken_us: int = 0
_worked_us = 0  # processor time until then
_owed_us = 0  # lost in pieces and not yet made up for


def start(board):
    """Take the facts (a dict from JSON) and let the crystal run."""
    global _origin_us, _ticks_start, _ppb, _log, _stalls
    facts.update(board)
    _log = open(board["log"], "a")  # noqa: SIM115 (for all its life)
    if board.get("stalls"):
        _stalls = open(board["stalls"], "a")  # noqa: SIM115 (likewise)
    _origin_us = machine_us()
    rested()
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


def machine_sleep_us(us):
    """Sleep. What neither this nor the board's work took since the last time, others did."""
    global _owed_us
    since_us = _woken_us
    worked_us = _worked_us
    utime.sleep_us(us)
    rested()
    passed_us = _woken_us - since_us
    lost_us = passed_us - us - (_worked_us - worked_us)
    piece_us = lost_us if lost_us > _PIECE_US else 0
    _owed_us = max(0, _owed_us + piece_us - passed_us // _SPARE)
    if lost_us < _owed_us:
        lost_us = _owed_us
    if lost_us > _STALL_US:
        _owed_us = 0
        event("kept from running for %d ms" % (lost_us // 1000))
        if _stalls is not None:
            _stalls.write("%d %d\n" % (_woken_us * 1000, lost_us * 1000))
            _stalls.flush()


def rested():
    """The board works on after it has waited, for an instant or for somebody."""
    global _woken_us, _worked_us
    _woken_us = machine_us()  # pyright: ignore[reportAssignmentType]
    _worked_us = _processor_us()


def event(text):
    """A line in the board's log for whoever supervises it; neither the firmware nor whoever has
    the serial port open sees it."""
    if _log is not None:
        _log.write("[emulator] " + text + "\n")
        _log.flush()


def at_end(function):
    """Have `function` called when the chip resets, for what the emulator itself has to write."""
    _last_words.append(function)


def end(code):
    """End this life at once: no `finally` runs, no file is closed, as on a chip that resets."""
    for function in _last_words:
        function()
    _exit(code)
