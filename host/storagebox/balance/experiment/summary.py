"""A run in figures: how even the servers' load was, how long requests took, what went wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storagebox.balance.experiment.trace import End, Trace


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one run. Latencies are those of answered requests, in mean service times.

    Args:
        requests: that were counted.
        max_over_mean: utilisation of the busiest server over the mean of all. Utilisation is
            work assigned over what could be done, so it may exceed 1.
        cv: standard deviation of utilisation over its mean.
        p50: latency that half of the requests stayed within.
        p99: 99 % of them.
        p999: 99.9 % of them.
        deadline_errors: had no answer at their deadline.
        failures: ended with an error.
        tries: attempts a request.
    """

    requests: int
    max_over_mean: float
    cv: float
    p50: float
    p99: float
    p999: float
    deadline_errors: int
    failures: int
    tries: float


def summarise(trace: Trace, service_s: float) -> Summary:
    """The figures of a run whose mean work is `service_s`."""
    counted = trace.born_s >= trace.warm_s
    ends = trace.ends[counted]
    answered = trace.latency_s[counted][ends == End.ANSWERED] / service_s
    p50, p99, p999 = np.percentile(answered, (50, 99, 99.9)) if answered.size else (np.nan,) * 3
    able = trace.capacity_s > 0
    utilisation = trace.assigned_s[able] / trace.capacity_s[able]
    mean = float(utilisation.mean())
    return Summary(
        requests=int(counted.sum()),
        max_over_mean=float(utilisation.max()) / mean,
        cv=float(utilisation.std()) / mean,
        p50=float(p50),
        p99=float(p99),
        p999=float(p999),
        deadline_errors=int((ends == End.DEADLINE).sum()),
        failures=int((ends == End.FAILED).sum()),
        tries=trace.tries / len(trace.ends),
    )
