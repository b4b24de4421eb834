"""The play cursor: which block the DAC plays, inferred from when its ring takes data again.

There is no played-frame counter on the chip. But the ring of N descriptors empties at strictly
periodic boundaries, 16000/3 us apart at 48 kHz, on the same crystal as `ticks_us`. So block b,
counted from the first one accepted, starts to play at

    start(b) = origin + b * period

with one unknown for the life of the I2S object. Each attempt to write bounds it:

    refused at time t, b blocks accepted so far:    start(b - N + 1) > t
    accepted as block b, done by time t:            start(b - N + 1) <= t

(the free queue holds N-1 descriptors: ESP-IDF esp_driver_i2s/i2s_common.c). The tightest bounds
close in on the boundary far below the polling interval. An underrun moves the origin by whole
periods and nothing else.

Times are board ticks in microseconds; inside, thirds of a microsecond relative to a moving
reference, so that every number stays a 31-bit small integer.
"""

from time import ticks_add, ticks_diff

from micropython import const

_PERIOD = const(16000)  # thirds of a microsecond
_FAR = const(0x1FFFFFFF)
# The reference moves in groups of three blocks: 16000 us exactly.
_GROUP = const(3)
_GROUP_US = const(16000)


class Cursor:
    """Follows one I2S object of `descriptors` descriptors, constructed at `now` ticks."""

    def __init__(self, descriptors, now):
        self._depth = descriptors - 1
        self.accepted = 0  # blocks, modulo nothing: 2**30 blocks are 66 days
        self.underruns = 0  # descriptors that played unfilled after the first block
        self._ref = now  # ticks at which block _ref_block would start if _origin were 0
        self._ref_block = 0
        # Before any refusal or acceptance: block 0 plays N periods after construction, or later.
        self._low = (descriptors - 1) * _PERIOD
        self._high = _FAR
        self.locked = False

    def width_us(self):
        """How far apart the bounds are: the cursor's own uncertainty."""
        if self._high == _FAR:
            return _FAR
        return (self._high - self._low) // 3

    def start_x3(self, block, since):
        """When `block` starts to play, in thirds of a microsecond after the ticks `since`."""
        middle = (self._low + self._high) >> 1 if self.locked else self._low
        return (block - self._ref_block) * _PERIOD + middle + 3 * ticks_diff(self._ref, since)

    def refused(self, now):
        """The ring was full when a write was tried; `now` was read before the call."""
        low = (
            3 * ticks_diff(now, self._ref)
            - (self.accepted - self._depth - self._ref_block) * _PERIOD
        )
        if low > self._low:
            if low > self._high:
                # Full, yet the boundary is already past: blocks were lost to an underrun
                # that went unseen. The phase is right, the count is not.
                while low > self._high:
                    self._slip()
            if low > self._low:
                self._low = low

    def took(self, now):
        """One more block was accepted; `now` was read after the call."""
        block = self.accepted
        self.accepted = block + 1
        age = 3 * ticks_diff(now, self._ref) - (block - self._ref_block) * _PERIOD
        if self.locked:
            # Its own turn has passed: the ring ran dry and the block plays at the next boundary.
            while age > self._low:
                self._slip()
                if age <= self._low:
                    break
        high = age + self._depth * _PERIOD
        if high < self._high:
            self._high = high if high > self._low else self._low + 1
            self.locked = True
        if block - self._ref_block > 64 + self._depth:
            self._rebase(block)

    def _slip(self):
        self._low += _PERIOD
        if self._high != _FAR:
            self._high += _PERIOD
        self.underruns += 1

    def _rebase(self, block):
        groups = (block - self._depth - self._ref_block) // _GROUP
        self._ref = ticks_add(self._ref, groups * _GROUP_US)
        self._ref_block += groups * _GROUP
