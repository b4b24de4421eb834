"""machine.Timer: callbacks beside the firmware, as the chip's scheduler has them."""

import _thread

from utime import sleep_us


class Timer:
    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, id, **options):
        if id not in (0, 1, 2, 3):
            raise ValueError("invalid Timer number")
        self._running = None
        if options:
            self.init(**options)

    def init(self, *, mode=PERIODIC, period=-1, freq=-1, callback=None):
        self.deinit()
        us = 1000000 // freq if freq > 0 else period * 1000
        running = [True]
        self._running = running

        def run():
            while True:
                sleep_us(us)  # not the board's own sleep: it works on
                if not running[0]:
                    return
                if callback is not None:
                    callback(self)
                if mode == Timer.ONE_SHOT:
                    return

        _thread.start_new_thread(run, ())

    def deinit(self):
        if self._running is not None:
            self._running[0] = False
            self._running = None
