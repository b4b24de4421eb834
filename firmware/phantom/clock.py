"""House time on a device: offset and skew between the board's ticks and the house.

`HouseClock` is fed four-stamp exchanges and answers what house time a tick is. No sockets, no
waiting: `now` is a parameter. See `line` for the fit and `exchange` for the datagrams.

How does a house change its server without a step? Every server of a generation tells the same
timeline, so exchanges with the one before still count, and a board that asks nobody carries on
from what it believes. Where two servers drifted apart, the belief stays until the new one has said
enough.
"""

from .line import SKEW_UNIT, TIME_MASK, Line
from .ticks import ticks_diff
from .wire import const

# Exchanges before the clock is believed: the burst on joining is two dozen.
_ENOUGH = const(5)
# A round trip over this tells nothing.
_MAX_RTT_US = const(1000000)
# Exchanges in a row that contradict the belief by more than this: the timeline has changed.
_CONTRADICTIONS = const(4)
_CONTRADICTION_US = const(2000)
# A belief is replaced by new exchanges only once there are some seconds of them (the burst, then
# 25 a second), or the burst where it was contradicted.
_ENOUGH_TO_RESUME = const(120)
_ENOUGH_TO_CORRECT = const(24)
# Exchanges this long ago (1/1024 s) would tilt the line through new ones of another server.
_STALE = const(10 * 1024)
# Seconds of exchanges before others may rely on this clock.
_SETTLED_SECONDS = const(24)
# A belief is carried this far before its moment is brought up: products stay small.
_CARRY_US = const(60000000)


class HouseClock:
    """Offset and skew of house time against one board's `ticks_us`."""

    def __init__(self):
        self._line = Line()
        self.version = 0  # counts fits: whoever caches a conversion looks here
        self.generation = -1
        self.rtt_us = 0
        self.rtt_p95_us = 0
        self.best_rtt_us = 0
        self.founded = False
        self._forget()
        self._ticks_last = None
        self._ticks_high = 0  # unwrapped ticks of _ticks_last

    def _forget(self):
        self._line.forget()
        self._base = 0  # house minus unwrapped ticks, us, about which points are kept
        self._at = 0  # unwrapped ticks of the fit
        self._offset_x64 = 0  # house minus ticks there, from _base, 1/64 us
        self.skew = 0  # 1/64 ppm: house gains on ticks
        self.gap_us = 0
        self.synced = False
        self.founded = False
        self._await(_ENOUGH)

    def _await(self, enough):
        # No exchange counts now; what is believed stays until there are `enough` new ones.
        self._enough = enough
        self.samples = 0
        self.best_rtt_us = 0
        self._against = 0
        self._checks = True  # whether exchanges are held against the belief

    def found(self, now, generation):
        """Begin a timeline: house time is this board's ticks, counted without wrapping."""
        self.adopt(now, generation, self.unwrap(now))
        self.founded = True

    def adopt(self, now, generation, house_us):
        """Believe that it is `house_us` at ticks `now`, until exchanges tell better."""
        self.generation = generation
        self._forget()
        self._at = self.unwrap(now)
        self._base = house_us - self._at
        self.synced = True
        self.version += 1

    def settled(self):
        """Whether others may rely on this clock: it began the timeline or has followed it long."""
        return self.synced and (self.founded or self._line.count >= _SETTLED_SECONDS)

    def switch(self, now):
        """Another server will be asked. What is believed stays, and what is still fresh."""
        self.best_rtt_us = 0
        if self.synced and self._stale(self.unwrap(now)):
            self._line.renew()
            self._await(_ENOUGH_TO_RESUME)

    def _stale(self, t):
        return not self._line.count or self._line.age(_time(t)) > _STALE

    def carry(self, now):
        """Bring the belief's moment up while nobody is asked; call it every few minutes."""
        t = self.unwrap(now)
        if self.synced and t - self._at > _CARRY_US:
            self._offset_x64 += self._drift_x64(t)
            self._at = t
            self._rebase()

    def unwrap(self, ticks):
        """Ticks as a count that never wraps. Must be called every few minutes."""
        if self._ticks_last is None:
            self._ticks_last = ticks
            self._ticks_high = ticks
        d = ticks_diff(ticks, self._ticks_last)
        if d > 0:
            self._ticks_last = ticks
            self._ticks_high += d
            return self._ticks_high
        return self._ticks_high + d

    def house_us(self, ticks):
        """House time, us, at board ticks (within some minutes of now)."""
        t = self.unwrap(ticks)
        return t + self._base + ((self._offset_x64 + self._drift_x64(t)) >> 6)

    def skew_ppb(self):
        """How much faster house time runs than the board's ticks, in parts per 10**9."""
        return self.skew * 1000 // SKEW_UNIT

    def _drift_x64(self, t):
        # (us * 1/64 ppm) is 1e-6/64 us.
        return (t - self._at) * self.skew // 1000000

    def sample(self, t1, t4, t2, hold, generation):
        """An exchange: sent at ticks t1, back at ticks t4, seen by the server at house time t2 for
        `hold` us. Returns False if it was refused."""
        rtt = ticks_diff(t4, t1) - hold
        if rtt < 0 or rtt > _MAX_RTT_US:
            return False
        if generation != self.generation:
            self.generation = generation
            self._forget()
        self.rtt_us = rtt
        if not self.best_rtt_us or rtt < self.best_rtt_us:
            self.best_rtt_us = rtt
        self._note_rtt(rtt)
        sent = self.unwrap(t1)
        came = self.unwrap(t4)
        there = t2 - sent
        back = t2 + hold - came
        if not self.samples:
            self._move_base((there + back) >> 1)
        there -= self._base
        back -= self._base
        if self.synced and self._checks and self._contradicts(there, back, came):
            return False
        self._line.add(_time(came), there, back)
        self.samples += 1
        return True

    def _note_rtt(self, rtt):
        # A quantile by small steps: up 19 for one beyond it, down 1 for each below.
        step = 1 + (self.rtt_p95_us >> 8)
        if not self.rtt_p95_us:
            self.rtt_p95_us = rtt
        elif rtt > self.rtt_p95_us:
            self.rtt_p95_us += 19 * step
        else:
            self.rtt_p95_us -= step

    def _contradicts(self, there, back, came):
        belief = (self._offset_x64 + self._drift_x64(came)) >> 6
        if back - _CONTRADICTION_US <= belief <= there + _CONTRADICTION_US:
            self._against = 0
            return False
        self._against += 1
        if self._against >= _CONTRADICTIONS:
            # The belief goes on until the new exchanges are enough to draw a line.
            self._line.forget()
            self._await(_ENOUGH_TO_CORRECT)
            self._checks = False
        return True

    def fit(self, now):
        """Draw the line anew, for ticks `now`. True once house time is known."""
        if self.samples < self._enough:
            return False
        self._enough = _ENOUGH
        self._checks = True
        t = self.unwrap(now)
        self._offset_x64 = self._line.fit(_time(t))
        self._at = t
        self.skew = self._line.skew
        self.gap_us = self._line.gap_us
        self.synced = True
        self.version += 1
        self._rebase()
        return True

    def _rebase(self):
        if not -0x8000000 < self._offset_x64 < 0x8000000:
            self._move_base(self._base + (self._offset_x64 >> 6))

    def _move_base(self, base):
        shift = base - self._base
        self._base = base
        self._offset_x64 -= shift << 6
        self._line.shift(shift)


def _time(ticks):
    # Unwrapped microseconds in 1/1024 s.
    return (ticks * 128 // 125000) & TIME_MASK
