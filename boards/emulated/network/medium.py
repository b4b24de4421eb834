"""What frames have to wait for: the air that all wireless stations share, or one cable's line.

Time comes in as nanoseconds of any monotonic clock, never from a clock of its own.
"""

from __future__ import annotations

from random import Random

from .profiles import Profile

MS = 1_000_000
SECOND = 1_000_000_000
NEVER = 1 << 62


class Medium:
    """One thing that carries one frame at a time: `free_ns` is when it will be free.

    A congested channel is modelled as time, not as chance: `factor` is 1 while it is quiet and the
    profile's `busy_factor` while somebody else's traffic is about, for seconds on end. Legs read
    both fields themselves, which saves a call a frame.
    """

    __slots__ = (
        "_busy_every_ns",
        "_busy_factor",
        "_busy_for_ns",
        "_random",
        "factor",
        "free_ns",
        "switch_ns",
    )

    def __init__(self, profile: Profile, random: Random, start_ns: int) -> None:
        self._random = random
        self._busy_factor = profile.busy_factor
        self._busy_for_ns = profile.busy_for_s * SECOND
        self._busy_every_ns = profile.busy_every_s * SECOND
        self.factor = 1.0
        self.free_ns = start_ns
        self.switch_ns = NEVER
        if self._busy_every_ns:
            self.switch_ns = start_ns + int(random.expovariate(1.0) * self._busy_every_ns)

    def switch(self, now_ns: int) -> None:
        """Go on to the spell that `now_ns` lies in; call once `switch_ns` is past."""
        while now_ns >= self.switch_ns:
            if self.factor == 1.0:
                self.factor, mean_ns = self._busy_factor, self._busy_for_ns
            else:
                self.factor, mean_ns = 1.0, self._busy_every_ns
            self.switch_ns += max(1, int(self._random.expovariate(1.0) * mean_ns))


class Beacon:
    """When held broadcast frames leave: after each DTIM beacon, one behind the other.

    The access point keeps at most one DTIM interval's worth of them.
    """

    __slots__ = ("_byte_ns", "_frame_ns", "_free_ns", "_interval_ns", "_phase_ns")

    def __init__(self, profile: Profile, random: Random, start_ns: int) -> None:
        self._interval_ns = int(profile.dtim_ms * MS)
        self._phase_ns = start_ns + int(random.random() * self._interval_ns)
        self._frame_ns = int(profile.frame_us * 1000)
        self._byte_ns = 8000.0 / profile.broadcast_mbit_s
        self._free_ns = 0

    def send(self, length: int, now_ns: int) -> int | None:
        """When a frame of `length` bytes has been sent; None if no room is left to hold it."""
        interval = self._interval_ns
        beacon = self._phase_ns
        if interval:
            beacon += -((self._phase_ns - now_ns) // interval) * interval
        beacon = max(beacon, now_ns)
        begin = max(beacon, self._free_ns)
        if interval and begin >= beacon + interval:
            return None
        self._free_ns = begin + self._frame_ns + int(length * self._byte_ns)
        return self._free_ns


class Stalls:
    """When a station's link stands still, in both directions: `begin_ns` to `end_ns`.

    The natural ones follow the seed and the start alone, whatever traffic there is.
    """

    __slots__ = ("_every_ns", "_length_ms", "_random", "begin_ns", "end_ns")

    def __init__(self, profile: Profile, random: Random, start_ns: int) -> None:
        self._every_ns = profile.stall_every_s * SECOND
        self._length_ms = profile.stall_ms
        self._random = random
        self.begin_ns = self.end_ns = start_ns
        self._next()

    def _next(self) -> None:
        if not self._every_ns:
            self.begin_ns = self.end_ns = NEVER
            return
        self.begin_ns = self.end_ns + int(self._random.expovariate(1.0) * self._every_ns)
        self.end_ns = self.begin_ns + int(self._random.uniform(*self._length_ms) * MS)

    def hold(self, now_ns: int, at_ns: int) -> int:
        """When a frame that would arrive at `at_ns` can: at the stall's end if it falls into one.

        Worth calling from `begin_ns` on only.
        """
        while now_ns >= self.end_ns:
            self._next()
        return self.end_ns if self.begin_ns <= at_ns < self.end_ns else at_ns

    def force(self, now_ns: int, length_ns: int) -> None:
        """Stall from now on. A stall that is on becomes longer, never shorter."""
        while now_ns >= self.end_ns:
            self._next()
        on = self.begin_ns <= now_ns
        self.end_ns = max(self.end_ns, now_ns + length_ns) if on else now_ns + length_ns
        self.begin_ns = now_ns
