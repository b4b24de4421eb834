"""`select` as on the ESP32 (extmod/modselect.c over FreeRTOS at 100 Hz).

An idle wait looks at its sockets once a 10 ms tick; arriving data does not wake it. A poll with
timeout 0 that finds nothing costs one modelled turn of the event loop.
"""

import uselect as _host
from _board import facts, machine_sleep_us, ticks
from uselect import POLLIN, POLLOUT

_TICK_US = 10000


class poll:
    def __init__(self):
        self._poller = _host.poll()
        self._registered = {}
        self._soft = {}  # streams written in Python, such as I2S: asked by ioctl
        self._datagrams = []  # UDP sockets: their mailboxes count, not the host's queues
        self._loop_us = facts["loop_us"]

    def register(self, stream, events=POLLIN | POLLOUT):
        host = getattr(stream, "_host", stream)
        if hasattr(stream, "ioctl"):
            self._soft[id(stream)] = (stream, events)
            return
        if getattr(stream, "_mailbox", None) is not None:
            self._datagrams.append((stream, events))
            return
        self._registered[id(host)] = stream
        self._poller.register(host, events)

    def modify(self, stream, events):
        if id(stream) in self._soft:
            self._soft[id(stream)] = (stream, events)
        else:
            self._poller.modify(getattr(stream, "_host", stream), events)

    def unregister(self, stream):
        for entry in self._datagrams:
            if entry[0] is stream:
                self._datagrams.remove(entry)
                return
        if self._soft.pop(id(stream), None) is None:
            host = getattr(stream, "_host", stream)
            self._registered.pop(id(host), None)
            self._poller.unregister(host)

    def _anything(self):
        for stream, events in self._soft.values():
            if stream.ioctl(3, events):
                return True
        for stream, events in self._datagrams:
            if events & POLLOUT or stream._readable():
                return True
        for _ in self._poller.ipoll(0):
            return True
        return False

    def _wait(self, timeout):
        # The wait is the board's, not the host's: sockets are looked at once a tick.
        if timeout == 0:
            # A poll of datagrams alone isn't the event loop's.
            if not self._anything() and (self._registered or self._soft or not self._datagrams):
                machine_sleep_us(self._loop_us)
            return
        if timeout > 0 and not (self._registered or self._soft or self._datagrams):
            self._sleep_ticks(timeout)
            return
        end = ticks() + timeout * 1000
        while not self._anything():
            now = ticks()
            if timeout > 0 and now >= end:
                return
            wait = _TICK_US - now % _TICK_US
            if timeout > 0 and end - now < wait:
                wait = end - now
            machine_sleep_us(wait)

    def _sleep_ticks(self, timeout_ms):
        # vTaskDelay counts whole ticks from the running one.
        end = ticks() + timeout_ms * 1000
        machine_sleep_us(max(0, end + (-end) % _TICK_US - ticks()))

    def ipoll(self, timeout=-1, flags=0):
        self._wait(timeout)
        if not (self._registered or self._soft or self._datagrams):
            return ()
        return self._events()

    def _events(self):
        out = []
        for stream, events in self._soft.values():
            ready = stream.ioctl(3, events)
            if ready:
                out.append((stream, ready))
        for stream, events in self._datagrams:
            ready = events & POLLOUT | (events & POLLIN if stream._readable() else 0)
            if ready:
                out.append((stream, ready))
        for found in self._poller.ipoll(0):
            out.append((self._registered[id(found[0])], found[1]))
        return out

    def poll(self, timeout=-1):
        return list(self.ipoll(timeout))


def select(readable, writable, exceptional, timeout=-1):
    raise NotImplementedError("select.select: use select.poll")
