"""What outlives a reset of the chip: RTC memory, and a watchdog that runs on over a soft reset.

A file of the supervisor's holds it: watchdog ms u32, length u16, RTC memory. Nothing is kept here.
"""

import struct

import ffi
import vfs
from _board import facts

_HEADER = "<IH"
_HEADER_BYTES = 6
_MEMORY_BYTES = 2048  # MICROPY_HW_RTC_USER_MEM_MAX
_ITIMER_REAL = 0

_setitimer = ffi.open("libc.so.6").func("i", "setitimer", "ipP")


def _read():
    # (watchdog ms, RTC memory)
    with vfs.VfsPosix("/").open(facts["retained"], "rb") as f:  # pyright: ignore[reportAttributeAccessIssue]
        content = f.read()
    wdt_ms, size = struct.unpack_from(_HEADER, content)
    return wdt_ms, content[_HEADER_BYTES : _HEADER_BYTES + size]


def _write(wdt_ms, memory):
    with vfs.VfsPosix("/").open(facts["retained"], "r+b") as f:  # pyright: ignore[reportAttributeAccessIssue]
        f.write(struct.pack(_HEADER, wdt_ms, len(memory)) + memory)


class RTC:
    """ports/esp32/machine_rtc.c; its clock is the machine's and can't be set."""

    def memory(self, data=None):
        wdt_ms, memory = _read()
        if data is None:
            return memory
        if len(data) > _MEMORY_BYTES:
            raise ValueError("buffer too long")
        _write(wdt_ms, bytes(data))
        return None

    def datetime(self, moment=None):
        import utime

        if moment is not None:
            return None
        t = utime.localtime()
        return (t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0)


class WDT:
    """ports/esp32/machine_wdt.c over the task watchdog: once started it can't be stopped.

    It is a timer of the machine whose signal nothing catches, so it bites in any loop.
    """

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        _write(timeout, _read()[1])
        self._timer = _timer(timeout)
        self.feed()

    def feed(self):
        # On the firmware's hot path: allocates nothing.
        _setitimer(_ITIMER_REAL, self._timer, None)


def _timer(timeout_ms):
    # struct itimerval: no interval, then seconds and microseconds to go.
    return struct.pack("qqqq", 0, 0, timeout_ms // 1000, timeout_ms % 1000 * 1000)


def resume():
    """Let a watchdog that was started before a soft reset bite in this life too."""
    wdt_ms = _read()[0]
    if wdt_ms:
        _setitimer(_ITIMER_REAL, _timer(wdt_ms), None)
