"""Durations as Go writes them: "10s", "1h30m", "300ms"."""

from __future__ import annotations

import re
from typing import Final

_UNITS_S: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # the micro sign
    "μs": 1e-6,  # the Greek letter
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)")
_MAX_S: Final = 9.2e9  # 63 bits of nanoseconds


class DurationError(ValueError):
    """In the words of Go's time.ParseDuration."""


def seconds(text: str) -> float:
    """How long it is. Raises DurationError."""
    sign = -1.0 if text.startswith("-") else 1.0
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0.0
    if not rest:
        raise DurationError(f'time: invalid duration "{text}"')
    total = 0.0
    while rest:
        part = _PART.match(rest)
        if part is None:
            raise DurationError(f'time: invalid duration "{text}"')
        if not part[2]:
            raise DurationError(f'time: missing unit in duration "{text}"')
        if part[2] not in _UNITS_S:
            raise DurationError(f'time: unknown unit "{part[2]}" in duration "{text}"')
        total += float(part[1]) * _UNITS_S[part[2]]
        rest = rest[part.end() :]
    if total > _MAX_S:
        raise DurationError(f'time: invalid duration "{text}"')
    return sign * total
