"""One direction of one station's link: when does a frame that enters now come out, if at all?"""

from __future__ import annotations

from math import log
from random import Random

from .histogram import Histogram
from .medium import Medium, Stalls
from .profiles import Profile, Spread

LOST = -1
OVERFLOW = -2
# Losses further apart than this have nothing to do with each other.
LOSS_MEMORY_NS = 50_000_000


class Leg:
    """Queue, medium, delay, loss and order of one direction. Pure: time and chance are passed in.

    `queued` counts frames admitted and not yet taken out; whoever takes one out decrements it.
    """

    __slots__ = ("_after_good", "_after_loss", "_byte_ns", "_contention_ns", "_fixed_ns",
                 "_frame_ns", "_last_ns", "_limit", "_loss", "_medium", "_previous_lost",
                 "_previous_ns", "_profile", "_random", "_retry_limit_ns", "_retry_ns",
                 "_retry_power", "_retry_ratio", "_slots_ns", "_stalls", "delays", "frames",
                 "lost", "overflowed", "queued")  # fmt: skip

    def __init__(
        self, profile: Profile, spread: Spread, medium: Medium, stalls: Stalls, random: Random
    ) -> None:
        self._profile = profile
        self._medium = medium
        self._stalls = stalls
        self._random = random.random
        self._limit = profile.queue_frames
        self._frame_ns = int(profile.frame_us * 1000)
        self._byte_ns = 8000.0 / profile.mbit_s
        self._fixed_ns = profile.fixed_us * 1000.0
        self._slots_ns = spread.slots_us * 1000.0
        self._contention_ns = spread.contention_us * 1000.0
        self._retry_ratio = spread.retry_ratio
        self._retry_ns = spread.retry_us * 1000.0
        self._retry_power = -1.0 / spread.retry_shape
        self._retry_limit_ns = spread.retry_limit_us * 1000.0
        self._last_ns = 0
        self._previous_ns = -LOSS_MEMORY_NS
        self._previous_lost = False
        self.queued = 0
        self.frames = self.lost = self.overflowed = 0
        self.delays = Histogram()
        self.set_loss(None)

    def set_loss(self, ratio: float | None) -> None:
        """Lose this share of frames, 0..1; None: the profile's.

        Two states (Gilbert 1960): after a lost frame the next is lost with `loss_burst`, after a
        delivered one with ratio * (1 - burst) / (1 - ratio), so that `ratio` of all are lost.
        """
        loss = self._profile.loss_ratio if ratio is None else ratio
        burst = max(loss, self._profile.loss_burst)
        self._loss = loss
        self._after_loss = burst
        self._after_good = loss * (1.0 - burst) / (1.0 - loss) if loss < 1.0 else 1.0

    def admit(self, length: int, now_ns: int) -> int:
        """The instant in ns at which a frame of `length` bytes comes out, or LOST or OVERFLOW.

        Frames come out in the order in which they went in. Call with times that do not decrease,
        give or take what a medium's queue can hold.
        """
        self.frames += 1
        if self.queued >= self._limit:
            self.overflowed += 1
            return OVERFLOW
        medium = self._medium
        air_ns = self._frame_ns + int(length * self._byte_ns)
        begin = medium.free_ns
        if begin < now_ns:
            begin = now_ns
        medium.free_ns = sent = begin + air_ns
        if self._loss and self._lose(now_ns):
            self.lost += 1
            return LOST
        out = sent + self._draw_ns(now_ns)
        stalls = self._stalls
        if out >= stalls.begin_ns:
            out = stalls.hold(now_ns, out)
        earliest = self._last_ns + air_ns  # behind the frame before, as fast as the medium carries
        if out < earliest:
            out = earliest
        self._last_ns = out
        self.queued += 1
        self.delays.add((out - now_ns) // 1000)
        return out

    def forget(self) -> None:
        """Empty the queue: what was admitted will never come out."""
        self.queued = 0
        self._last_ns = 0

    def _draw_ns(self, now_ns: int) -> int:
        medium = self._medium
        if now_ns >= medium.switch_ns:
            medium.switch(now_ns)
        random = self._random
        delay = self._fixed_ns - self._contention_ns * medium.factor * log(1.0 - random())
        if self._slots_ns:
            delay += self._slots_ns * random()
        if self._retry_ratio and random() < self._retry_ratio * medium.factor:
            retry = self._retry_ns * (1.0 - random()) ** self._retry_power
            delay += retry if retry < self._retry_limit_ns else self._retry_limit_ns
        return int(delay)

    def _lose(self, now_ns: int) -> bool:
        if now_ns - self._previous_ns > LOSS_MEMORY_NS:
            chance = self._loss
        elif self._previous_lost:
            chance = self._after_loss
        else:
            chance = self._after_good
        self._previous_ns = now_ns
        self._previous_lost = lost = self._random() < chance
        return lost
