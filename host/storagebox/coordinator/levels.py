"""Volumes of things made of things: devices make a room, rooms make a group.

The volume of a whole is the mean of its parts, 0 to 100. Setting it keeps the balance (the rule
of the Sendspin specification, "group volume"): every part moves by the same amount, within 0 to
100, and what a part at its limit can't take is shared equally among the others until it is spent.
So parts that stay off the limits keep their differences:

    Kitchen 80, Bedroom 40 (mean 60)   set to 80:  +20 each          →  100, 60
                                       set to 90:  +30, 10 too many  →  100, 80

A part at 0 stays there, since somebody turned it off, unless all are at 0. Being muted is another
matter and changes no volume: a whole is muted when all its parts are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FULL = 100.0
# What a device takes: hundredths of a percent.
STEPS = 10_000
# Below what a device can be told.
_SPENT = 1e-9


def mean(levels: Sequence[float]) -> float:
    """The volume of a whole. Raises ValueError if it has no parts."""
    if not levels:
        raise ValueError("nothing has no volume")
    return sum(levels) / len(levels)


def set_mean(levels: Sequence[float], target: float) -> list[float]:
    """The parts' volumes with which the whole is at `target`, or as near as can be."""
    out = list(levels)
    movable = [index for index, level in enumerate(out) if level > 0] or list(range(len(out)))
    left = (min(max(target, 0.0), FULL) - mean(out)) * len(out)
    while movable and abs(left) > _SPENT:
        step = left / len(movable)
        left = 0.0
        free: list[int] = []
        for index in movable:
            wanted = out[index] + step
            out[index] = min(max(wanted, 0.0), FULL)
            left += wanted - out[index]
            if 0.0 < wanted < FULL:
                free.append(index)
        movable = free
    return out


def set_tree(tree: Sequence[Sequence[float]], target: float) -> list[list[float]]:
    """The same for wholes of wholes: volumes of a group's devices, room by room."""
    rooms = set_mean([mean(devices) for devices in tree], target)
    return [set_mean(devices, room) for devices, room in zip(tree, rooms, strict=True)]


def tree_mean(tree: Sequence[Sequence[float]]) -> float:
    """The volume of a whole of wholes."""
    return mean([mean(devices) for devices in tree])


def muted(parts: Iterable[bool]) -> bool:
    """Whether a whole is muted: it has parts, and all of them are."""
    listed = list(parts)
    return bool(listed) and all(listed)


def to_steps(level: float) -> int:
    """A volume as a device takes it; one above 0 stays above 0."""
    steps = round(min(max(level, 0.0), FULL) * STEPS / FULL)
    return max(steps, 1) if level > _SPENT else steps


def from_steps(steps: int) -> float:
    """A device's volume, 0 to 100."""
    return min(max(steps, 0), STEPS) / (STEPS / FULL)
