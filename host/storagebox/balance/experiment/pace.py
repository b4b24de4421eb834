"""How fast a server works, over time: steps of constant speed.

A server that stalls, starts cold, shares its machine or is of an older generation differs in
nothing but its pace. Since each step is constant, when a piece of work will be done is known when
it begins, and no event is needed where the speed changes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from math import inf
from random import Random


class Pace:
    """Speeds from given times on; 1 does a second's work in a second, 0 stands still.

    Args:
        steps: (from_s, speed) in order of time. The first speed also holds before its time.

    Raises:
        ValueError: there is no step, times don't increase or a speed is negative.
    """

    __slots__ = ("_done_s", "_from_s", "_only", "_speeds")

    def __init__(self, steps: Sequence[tuple[float, float]]) -> None:
        if not steps:
            raise ValueError("pace: no step: give at least (0.0, 1.0)")
        if any(later[0] <= earlier[0] for earlier, later in pairwise(steps)):
            raise ValueError("pace: times of steps must increase")
        if any(speed < 0 for _, speed in steps):
            raise ValueError("pace: a speed is negative: 0 stands still")
        self._from_s = [from_s for from_s, _ in steps]
        self._speeds = [speed for _, speed in steps]
        self._done_s = [0.0]  # work that is done by each step's beginning
        for (began_s, speed), (until_s, _) in pairwise(steps):
            self._done_s.append(self._done_s[-1] + (until_s - began_s) * speed)
        self._only = self._speeds[0] if len(steps) == 1 and self._speeds[0] > 0 else None

    def work_s(self, from_s: float, until_s: float) -> float:
        """How much one worker can do meanwhile."""
        return self._done(until_s) - self._done(from_s)

    def stands(self, now: float) -> bool:
        """Whether it stands still."""
        return self._speeds[max(0, bisect_right(self._from_s, now) - 1)] == 0

    def finish_s(self, now: float, work_s: float) -> float:
        """When work that begins now will be done; `inf` if never."""
        if self._only is not None:
            return now + work_s / self._only
        goal_s = self._done(now) + work_s
        step = bisect_right(self._from_s, now) - 1
        last = len(self._speeds) - 1
        while step < last and self._done_s[step + 1] < goal_s:
            step += 1
        if step < 0:
            step = 0
        left_s = goal_s - self._done_s[step]
        return self._from_s[step] + left_s / self._speeds[step] if self._speeds[step] else inf

    def _done(self, time_s: float) -> float:
        step = max(0, bisect_right(self._from_s, time_s) - 1)
        return self._done_s[step] + (time_s - self._from_s[step]) * self._speeds[step]


STEADY = Pace([(0.0, 1.0)])


def steady(speed: float) -> Pace:
    """Always as fast."""
    return Pace([(0.0, speed)])


def stalling(every_s: float, for_s: float, until_s: float, first_s: float) -> Pace:
    """Stands still for `for_s` every `every_s`, from `first_s` on."""
    steps = [(0.0, 1.0)]
    at_s = first_s
    while at_s < until_s:
        steps += [(at_s, 0.0), (at_s + for_s, 1.0)]
        at_s += every_s
    return Pace(steps)


def contended(random: Random, until_s: float, spell_s: float, free: float) -> Pace:
    """A machine shared with a neighbour: 1, the server's allocation, while that one is busy, and
    `free` while it isn't. Spells of each are exponential with mean `spell_s`."""
    speed = free if random.random() < 0.5 else 1.0
    steps = [(0.0, speed)]
    at_s = random.expovariate(1 / spell_s)
    while at_s < until_s:
        speed = free if speed == 1.0 else 1.0
        steps.append((at_s, speed))
        at_s += random.expovariate(1 / spell_s)
    return Pace(steps)
