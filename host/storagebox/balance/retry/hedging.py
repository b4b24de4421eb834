"""When to stop waiting for one server and ask a second one besides.

Dean and Barroso, "The Tail at Scale" (CACM 2013): a second request, sent once the first has taken
longer than nearly all do, cuts the tail for a few per cent more load. The delay is a percentile of
what requests took lately, in a histogram whose halves rotate, so that the estimate forgets.
"""

import threading
from bisect import bisect_left
from dataclasses import dataclass, field

from storagebox.balance.retry.budget import Budget

_SHORTEST_S = 0.0001
_STEP = 1.1
_BUCKETS = 160
_EDGES = [
    _SHORTEST_S * _STEP**n for n in range(_BUCKETS)
]  # 0.1 ms to 380 s, each 10 % above the last


def _no_minimum() -> Budget:
    # As Finagle's BackupRequestFilter: a share of the requests, even if there are few.
    return Budget(ratio=0.05, min_per_s=0.0)


@dataclass(frozen=True, slots=True)
class Hedging:
    """When a second endpoint is asked while the first one is still busy.

    Args:
        quantile: of the latencies of the last while, after which the first is given company. The
            paper's 95th percentile would spend a budget of 5 % on calm days, and leave none for
            a server that hangs.
        min_delay_s: never sooner than this.
        max_delay_s: nor later.
        enough: with fewer latencies than this nothing is known, and nothing hedged.
        budget: hedges are counted apart from retries by default; give both the same one to count
            them together.
    """

    quantile: float = 0.99
    min_delay_s: float = 0.001
    max_delay_s: float = 1.0
    enough: int = 30
    budget: Budget = field(default_factory=_no_minimum)

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1:
            raise ValueError(f"hedging: quantile {self.quantile} is not within 0 to 1")
        if not 0 < self.min_delay_s <= self.max_delay_s:
            raise ValueError(
                f"hedging: delays of {self.min_delay_s} to {self.max_delay_s} s: the first must be"
                " above 0, and not above the second"
            )


class Latencies:
    """What requests took of late, to within 10 %.

    Args:
        period_s: after this long the older half is forgotten.
    """

    def __init__(self, period_s: float = 10.0) -> None:
        self._period_s = period_s
        self._newer = [0] * (_BUCKETS + 1)
        self._both = [0] * (_BUCKETS + 1)  # with the older half
        self._total = 0
        self._highest = 0
        self._began_s: float | None = None
        self._lock = threading.Lock()

    def add(self, latency_s: float, now: float) -> None:
        """A request took this long."""
        bucket = bisect_left(_EDGES, latency_s)
        with self._lock:
            self._turn(now)
            self._newer[bucket] += 1
            self._both[bucket] += 1
            self._total += 1
            if bucket > self._highest:
                self._highest = bucket

    def quantile(self, share: float, now: float, *, enough: int = 1) -> float | None:
        """What `share` of the requests stayed within; `None` with fewer than `enough`."""
        with self._lock:
            self._turn(now)
            total = self._total
            if total < max(1, enough):
                return None
            # From the top: the shares that are asked for are near it.
            enough_below, below, bucket, both = share * total, total, self._highest, self._both
            while bucket and (below := below - both[bucket]) >= enough_below:
                bucket -= 1
        return _EDGES[min(bucket, _BUCKETS - 1)]

    def _turn(self, now: float) -> None:
        if self._began_s is None:
            self._began_s = now
        passed = now - self._began_s
        if passed < self._period_s:
            return
        older = self._newer if passed < 2 * self._period_s else [0] * (_BUCKETS + 1)
        self._newer = [0] * (_BUCKETS + 1)
        self._both = older
        self._total = sum(older)
        self._highest = max((bucket for bucket, count in enumerate(older) if count), default=0)
        self._began_s = now
