"""Counts of delays in buckets of about 6 %, cheap enough for every frame."""

from __future__ import annotations

from collections.abc import Iterable

_BUCKETS = 512  # enough for 2**35 us


class Histogram:
    """Delays in whole microseconds; below 32 us exact, above within 1/16 of the value."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS

    def add(self, delay_us: int) -> None:
        """Count one delay; negative counts as 0."""
        if delay_us < 32:
            self._counts[delay_us if delay_us > 0 else 0] += 1
        else:
            shift = delay_us.bit_length() - 5
            self._counts[(shift << 4) + (delay_us >> shift)] += 1

    @property
    def count(self) -> int:
        """How many delays were added."""
        return sum(self._counts)

    def percentile(self, percent: float) -> int | None:
        """The delay in us that `percent` of all do not exceed, bucket's middle; None if empty."""
        total = self.count
        if not total:
            return None
        wanted = total * percent / 100.0
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return _middle_us(bucket)
        raise AssertionError("percentile above 100")

    def percentiles(self, percents: Iterable[float] = (50, 95, 99)) -> dict[str, int | None]:
        """{"p50_us": …, "p95_us": …, "p99_us": …} of what was added so far."""
        return {f"p{percent:g}_us": self.percentile(percent) for percent in percents}


def _middle_us(bucket: int) -> int:
    if bucket < 32:
        return bucket
    shift = (bucket >> 4) - 1
    low = (bucket - (shift << 4)) << shift
    return low + (1 << shift >> 1)
