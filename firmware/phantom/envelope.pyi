"""Buffers, not viper pointers, are what callers pass."""

from array import array

TIME: int
THERE: int
BACK: int
FIELDS: int
BIAS: int
TIME_MASK: int
SKEW_UNIT: int

def edges(points: array[int], count: int, now: int, skew: int, out: array[int]) -> None: ...
