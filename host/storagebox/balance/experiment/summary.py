"""A run in figures: how even the servers' load was, how long requests took, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from storagebox.balance.experiment.trace import End, Trace

Figures = Mapping[str, float]
"""Names and values of one run."""

Spread = Mapping[str, float]
"""`mean`, `min` and `max` of a figure over seeds."""


def summarise(trace: Trace, service_s: float, deadline_s: float) -> dict[str, float]:
    """The figures of a run, of what came after it had warmed up.

    - `max_over_mean`: utilisation of the busiest server over the mean of all. Utilisation is work
      assigned over work that could be done, so it may exceed 1.
    - `cv`: standard deviation of utilisation over its mean.
    - `p50`, `p99`, `p999`: latency of answered requests, in mean service times `service_s`.
    - `late`: requests without an answer at the deadline.
    - `failed`: requests that ended with an error before it.
    - `lost`: requests that never ended.
    - `tries`: attempts a request, of the whole run.
    - `probes`: probes a request, of the whole run.
    - `connections`: pairs of client and server that met, in the whole run.
    - `outage_s`: the longest time without any answer.
    """
    counted = trace.born_s >= trace.warm_s
    ends, latency_s = trace.ends[counted], trace.latency_s[counted]
    answered = ends == End.ANSWERED
    took = latency_s[answered] / service_s
    p50, p99, p999 = np.percentile(took, (50, 99, 99.9)) if took.size else (np.nan,) * 3
    able = trace.capacity_s > 0
    utilisation = trace.assigned_s[able] / trace.capacity_s[able]
    mean = float(utilisation.mean())
    until_s = np.sort((trace.born_s[counted] + latency_s)[answered])
    return {
        "max_over_mean": float(utilisation.max()) / mean,
        "cv": float(utilisation.std()) / mean,
        "p50": float(p50),
        "p99": float(p99),
        "p999": float(p999),
        "late": float(((ends == End.DEADLINE) | (answered & (latency_s > deadline_s))).sum()),
        "failed": float((ends == End.FAILED).sum()),
        "lost": float((ends == End.LOST).sum()),
        "tries": trace.tries / len(trace.ends),
        "probes": trace.probes / len(trace.ends),
        "connections": float(trace.connections),
        "outage_s": float(np.diff(until_s).max()) if until_s.size > 1 else float("inf"),
    }


def over_seeds(runs: Sequence[Figures]) -> dict[str, Spread]:
    """Mean, least and greatest of each figure; what no run could tell is left out."""
    spreads: dict[str, Spread] = {}
    for name in runs[0] if runs else ():
        values = [run[name] for run in runs if isfinite(run[name])]
        if values:
            spreads[name] = {
                "mean": sum(values) / len(values),
                "min": min(values),
                "max": max(values),
            }
    return spreads
