"""What a device's reports say of the last seconds: counters become events, moments become worsts.

A device counts from its start; what matters is how much was added lately. One that restarted
begins anew, and what it says of another stream tells nothing of this one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Twenty reports: long enough for a rate, short enough that what is over is forgotten soon.
WINDOW_S = 10.0
# Two reports a second: after this without one, what is known is old.
STALE_S = 3.0

_COUNTERS = ("underruns", "late_chunks")


@dataclass(frozen=True)
class Window:
    """The last WINDOW_S of one device. None: nobody knows."""

    reports: int = 0
    state: str | None = None
    underruns: int = 0
    late_chunks: int = 0
    played_blocks: int | None = None  # since `played_since_s` of the same stream
    played_for_s: float = 0.0
    buffer_ms: int | None = None  # now
    buffer_min_ms: int | None = None  # the least while it played
    rtt_p95_ms: float | None = None
    rssi: int | None = None
    heap_free: int | None = None


# How far back to look for whether sound comes out: enough for a verdict, no more.
PLAYED_S = 4.0


@dataclass(frozen=True)
class _Sample:
    at_s: float
    report: Mapping[str, Any]


class Readings:
    """Takes reports as they come; `window` is made of the latest."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()

    def clear(self) -> None:
        """The device is another now: it restarted."""
        self._samples.clear()

    def take(self, report: Mapping[str, Any], now_s: float) -> None:
        """One more report, at a monotonic time."""
        last = self._samples[-1].report if self._samples else {}
        if any(_whole(report, name) < _whole(last, name) for name in _COUNTERS):
            self.clear()
        self._samples.append(_Sample(now_s, report))
        while self._samples[0].at_s < now_s - WINDOW_S:
            self._samples.popleft()

    def forgive(self) -> None:
        """What has been counted so far is dealt with: count from the latest report on."""
        while len(self._samples) > 1:
            self._samples.popleft()

    def window(self, now_s: float) -> Window:
        """What the reports of the last WINDOW_S say; an empty one if there is none of late."""
        if not self._samples or self._samples[-1].at_s < now_s - STALE_S:
            return Window()
        first, last = self._samples[0].report, self._samples[-1].report
        played, played_for_s = self._played()
        return Window(
            reports=len(self._samples),
            state=last.get("state"),
            underruns=_whole(last, "underruns") - _whole(first, "underruns"),
            late_chunks=_whole(last, "late_chunks") - _whole(first, "late_chunks"),
            played_blocks=played,
            played_for_s=played_for_s,
            buffer_ms=last.get("buffer_ms"),
            buffer_min_ms=_least_buffer(sample.report for sample in self._samples),
            rtt_p95_ms=_milliseconds(last.get("rtt_p95_us")),
            rssi=last.get("rssi") or None,  # a board without a radio says 0
            heap_free=last.get("heap_free"),
        )

    def _played(self) -> tuple[int | None, float]:
        """Blocks of the latest report's stream that went out, and in how much time."""
        last = self._samples[-1]
        if "played_blocks" not in last.report or last.report.get("stream") is None:
            return None, 0.0
        first = last
        for sample in reversed(self._samples):
            same = sample.report.get("stream") == last.report["stream"]
            if not same or _whole(sample.report, "played_blocks") > _whole(
                first.report, "played_blocks"
            ):
                break
            if last.at_s - sample.at_s > PLAYED_S:
                break  # a board that has stopped must not live on what it played before
            first = sample
        blocks = _whole(last.report, "played_blocks") - _whole(first.report, "played_blocks")
        return blocks, last.at_s - first.at_s


def _whole(report: Mapping[str, Any], name: str) -> int:
    value = report.get(name)
    return value if isinstance(value, int) else 0


def _least_buffer(reports: Iterable[Mapping[str, Any]]) -> int | None:
    held = [r["buffer_ms"] for r in reports if r.get("state") == "playing" and "buffer_ms" in r]
    return min(held, default=None)


def _milliseconds(value: Any) -> float | None:
    return value / 1000 if isinstance(value, int) and value > 0 else None
