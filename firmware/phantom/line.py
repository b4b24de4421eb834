"""The line through a minute of exchanges: offset and skew between two clocks, in integers.

An exchange bounds the offset between two clocks: it lies below what the way there measured and
above what the way back measured, as no packet arrives before it is sent. Of each second the least
delay in either direction is kept, which need not be of the same exchange. The middle of the two is
the second's estimate, and what their gap exceeds the usual gap by is how far it may be off. A line
through the estimates, weighted by that, gives offset and skew (weighted least squares; the choice
of the quickest packets is RFC 5905's clock filter, section 10, taken for each direction alone).

A few seconds can't tell a skew from noise, so one of 30 ppm is as likely as the noise itself: the
prior fades as the window fills. A line that goes on where another left off keeps its skew as a
prior of 2 ppm.
"""

from .wire import const

SECONDS = const(64)
# Bucket times: 1/1024 s, wrapping at 29 bits (6 days).
TIME_MASK = const(0x1FFFFFFF)
# Skews in 1/64 ppm. Crystals are within 50 ppm each; a fit beyond twice that is noise.
SKEW_UNIT = const(64)
_MAX_SKEW = const(100 * 64)

# An estimate's variance, us**2: stamps are good to 6 us, and a seventh of the excess gap adds.
_STAMP_VARIANCE = const(36)
_EXCESS_SHARE = const(50)
_WEIGHT = const(65536)
# The prior on the skew, 1 / (30 ppm)**2, in units of weight * (1/8 s)**2.
_PRIOR = const(65536 * 64 // 900)
# The same for a skew that a minute has shown already, 1 / (2 ppm)**2.
_PRIOR_KNOWN = const(65536 * 64 // 4)
# A bucket a quarter beyond the least gap is usual: a gap far below it is as wrong as one above.
_USUAL = const(3)  # count >> 3: the lowest eighth


class Line:
    """A window of buckets and the line through them. Offsets are in microseconds."""

    def __init__(self):
        self._time = [0] * SECONDS
        self._there = [0] * SECONDS
        self._back = [0] * SECONDS
        self._weight = [0] * SECONDS
        self._x = [0] * SECONDS
        self._y = [0] * SECONDS
        self.forget()

    def forget(self):
        """Start over."""
        self.skew = 0
        self._prior_skew = 0
        self._prior = _PRIOR
        self._empty()

    def renew(self):
        """Forget the exchanges but not the skew."""
        self._prior_skew = self.skew
        self._prior = _PRIOR_KNOWN
        self._empty()

    def _empty(self):
        self.count = 0
        self._newest = -1
        self.gap_us = 0

    def age(self, time):
        """How long before `time` the newest second began, 1/1024 s; there must be one."""
        return (time - self._time[self._newest]) & TIME_MASK

    def add(self, time, there, back):
        """An exchange at `time`: the offset is at most `there` and at least `back`."""
        at = self._newest
        if self.count:
            age = self.age(time)
            if age < 1024:
                # Each direction keeps its best, carried to the bucket's own moment.
                move = self.skew * age >> 16
                self._there[at] = min(self._there[at], there - move)
                self._back[at] = max(self._back[at], back - move)
                return
        at = (at + 1) % SECONDS
        self._newest = at
        self.count = min(self.count + 1, SECONDS)
        self._time[at] = time
        self._there[at] = there
        self._back[at] = back

    def fit(self, now):
        """The offset at `now` in 1/64 us; `skew` is brought up to date."""
        self._weigh()
        # The residuals shrink with each pass; a far-off skew takes more than one.
        offset = 0
        for _ in range(3):
            offset, change = self._regress(now)
            skew = max(-_MAX_SKEW, min(_MAX_SKEW, self.skew + change))
            change = skew - self.skew
            self.skew = skew
            if -SKEW_UNIT < change < SKEW_UNIT:
                break
        return offset

    def shift(self, us):
        """Move every offset by -us: the caller has changed what they are relative to."""
        for i in range(self.count):
            self._there[i] -= us
            self._back[i] -= us

    def _weigh(self):
        count = self.count
        for i in range(count):
            self._x[i] = self._there[i] - self._back[i]
        usual = sorted(self._x[:count])[count >> _USUAL]
        self.gap_us = usual
        for i in range(count):
            excess = min(abs(self._x[i] - usual), 20000)
            self._weight[i] = _WEIGHT // (_STAMP_VARIANCE + excess * excess // _EXCESS_SHARE)

    def _regress(self, now):
        # x: seconds before now, 1/8 s; y: what the offset at now would be, 1/8 us.
        weight, x, y = self._weight, self._x, self._y
        count = self.count
        skew = self.skew
        total = sum_x = sum_y = 0
        for i in range(count):
            age = (now - self._time[i]) & TIME_MASK
            x[i] = age >> 7
            y[i] = (self._there[i] + self._back[i] << 2) + (skew * age >> 13)
            total += weight[i]
            sum_x += weight[i] * x[i]
            sum_y += weight[i] * y[i]
        mean_x = sum_x // total
        mean_y = sum_y // total
        xx = self._prior
        xy = self._prior * (skew - self._prior_skew) // SKEW_UNIT
        for i in range(count):
            dx = x[i] - mean_x
            xx += weight[i] * dx * dx
            xy += weight[i] * dx * (y[i] - mean_y)
        # y falls with age where the skew is higher than was thought.
        change = -xy * SKEW_UNIT // xx
        return (mean_y << 3) + change * mean_x // 8, change
