"""`time` as on the ESP32: ticks wrap at 2**30 and run on the board's own crystal."""

import utime as _host
from _board import rested as _rested
from _board import ticks as _ticks
from micropython import const

_MASK = const(0x3FFFFFFF)
_HALF = const(0x20000000)

time = _host.time
time_ns = _host.time_ns
gmtime = _host.gmtime
localtime = _host.localtime
mktime = _host.mktime


def sleep(seconds):
    _host.sleep(seconds)
    _rested()


def sleep_ms(ms):
    _host.sleep_ms(ms)
    _rested()


def sleep_us(us):
    _host.sleep_us(us)
    _rested()


def ticks_us():
    return _ticks() & _MASK


def ticks_ms():
    return (_ticks() // 1000) & _MASK


def ticks_cpu():
    return _ticks() & _MASK


def ticks_add(ticks, delta):
    if not -_HALF < delta < _HALF:
        raise OverflowError("ticks interval overflow")
    return (ticks + delta) & _MASK


def ticks_diff(a, b):
    return ((a - b + _HALF) & _MASK) - _HALF
