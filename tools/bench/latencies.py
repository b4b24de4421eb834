"""How long each of many requests took, in figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def spread_ms(times_s: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 and max in ms, to 1 us; empty when there are none. `times_s` in seconds."""
    if not len(times_s):
        return {}
    p50, p90, p99, top = np.percentile(np.asarray(times_s) * 1000, (50, 90, 99, 100))
    return {
        "p50": round(float(p50), 3),
        "p90": round(float(p90), 3),
        "p99": round(float(p99), 3),
        "max": round(float(top), 3),
    }
