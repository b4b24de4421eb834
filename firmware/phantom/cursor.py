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
periods and nothing else. By how many is plain where the write began and ended within one period;
where the board was held up in between, it is plain once the ring has filled up again.

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
_REBASE = const(64)
# Contradictions within a rebase that whole periods can't explain away: the phase is wrong.
_STUBBORN = const(3)
# Bounds that contradict each other by less (50 us) need no explanation: an interrupt came late.
_NOISE = const(150)
# Bounds further apart may have come together over a wrong count of periods.
_VAGUE = const(2000)


class Cursor:
    """Follows one I2S object of `descriptors` descriptors; `now` is any ticks near its start."""

    def __init__(self, descriptors, now):
        self._depth = descriptors - 1
        self.accepted = 0  # blocks
        self.underruns = 0  # descriptors that played unfilled after the first block
        self._ref = now  # ticks at which block _ref_block would start if the origin were 0
        self._ref_block = 0
        # The origin lies above _low and not above _high, thirds of a microsecond.
        self._low = -_FAR
        self._high = _FAR
        self._conflicts = 0  # bounds that contradicted each other since the last rebase
        self.locked = False  # both bounds are known
        self.doubtful = False  # an underrun may have been a period longer than is believed

    def width_us(self):
        """How far apart the bounds are: the cursor's own uncertainty. -1 before it is known."""
        return (self._high - self._low) // 3 if self.locked else -1

    def start_x3(self, block, since):
        """When `block` starts to play, in thirds of a microsecond after the ticks `since`.

        A guess of a full ring's delay until `locked`.
        """
        middle = self._low + self._high >> 1 if self.locked else self._depth * _PERIOD
        return (block - self._ref_block) * _PERIOD + middle + 3 * ticks_diff(self._ref, since)

    def refused(self, now):
        """The ring was full when a write was tried; `now` was read before the call."""
        low = self._age(self.accepted - self._depth, now)
        if low <= self._low:
            return
        if self._high <= low < self._high + _NOISE:
            self._high = low + 1
        elif low >= self._high:
            # Blocks were lost to an underrun that nobody saw. Its phase is as it was.
            self._shift((low - self._high) // _PERIOD + 1)
            if low >= self._high or self._vague():
                self._begin(low)
        if low > self._low:
            self._low = low
            self.locked = self._high != _FAR

    def took(self, before, now):
        """One more block was accepted; `before` was read before the call, `now` after it."""
        block = self.accepted
        self.accepted = block + 1
        age = self._age(block, before)
        if self.locked and age > self._high:
            # Its own turn has passed: the ring ran dry and the block plays at the next boundary.
            blocks = (age - self._high - 1) // _PERIOD + 1
            self._low += blocks * _PERIOD
            self._high += blocks * _PERIOD
            self.underruns += blocks
            if self._vague():
                self._begin(age)
        age = self._age(block, now)
        if self.locked and age > self._high:
            self.doubtful = True  # or its turn passed just now
        high = age + self._depth * _PERIOD
        if high < self._low + _PERIOD:
            self.doubtful = False
        if self._low - _NOISE < high <= self._low:
            self._low = high - 1
        elif high <= self._low:
            # Taken sooner than it can have been: the underrun was shorter than it seemed.
            self._shift(-((self._low - high) // _PERIOD + 1))
            if high <= self._low or self._vague():
                self._begin(high - _PERIOD)
        if high < self._high:
            self._high = high
            self.locked = self._low != -_FAR
        if block - self._ref_block > _REBASE + self._depth:
            self._rebase(block)

    def _age(self, block, now):
        # What the origin would be if `block` started now.
        return 3 * ticks_diff(now, self._ref) - (block - self._ref_block) * _PERIOD

    def _vague(self):
        # Whether a contradiction may be one of phase, which whole periods can't settle.
        return self._high - self._low > _VAGUE or self._conflicts > _STUBBORN

    def _begin(self, low):
        # Anew: a boundary lies within any period. No bound of before stays: the two together,
        # each from another count of periods, would leave out the very boundary, for good.
        self._low = low
        self._high = low + _PERIOD

    def _shift(self, blocks):
        if self.locked:
            self._low += blocks * _PERIOD
            self._high += blocks * _PERIOD
            self._conflicts += 1
            if blocks > 0:
                self.underruns += blocks

    def _rebase(self, block):
        groups = (block - self._depth - self._ref_block) // _GROUP
        self._ref = ticks_add(self._ref, groups * _GROUP_US)
        self._ref_block += groups * _GROUP
        self._conflicts = 0
