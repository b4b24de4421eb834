"""Lead and codec of a group: as its worst link needs, no more.

A long lead and a small codec ride out what a network does; a short lead answers a command sooner,
and PCM is what the recording was. So terms get stronger at once when there is a reason, one step
at a time, and weaker only when it has been quiet for a while. Both work without a gap: chunks
carry their codec, and the reach of a stream moves while it plays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from phantom.wire import audio

from .readings import Window


@dataclass(frozen=True)
class Terms:
    """`codec` None: the best that each device's memory allows at this lead."""

    lead_ms: int
    codec: str | None


_SMALL = audio.CODEC_NAMES[audio.IMA_ADPCM]
# Wired rooms and good Wi-Fi; Wi-Fi that stalls for 0.1 to 0.3 s; bad Wi-Fi, which needs all that
# 48 KiB hold of stereo ADPCM.
LADDER = (Terms(240, None), Terms(500, _SMALL), Terms(900, _SMALL))

# What tells that a step is not enough: round trips at p95, by step. On a cable they take less than
# a millisecond; 5 ms is Wi-Fi, which stalls for 0.3 s once a minute however well it does between,
# and PCM16 stereo fills 48 KiB in less. Half of what bad Wi-Fi takes (67 to 75 ms) is the next.
RTT_P95_MS = (5.0, 45.0)
# Weak signals lose frames in bursts before round trips show it.
RSSI_DBM = (-72, -82)
# Buffers this low at the present terms mean that the next stall is heard.
LOW_BUFFER_MS = 30
LATE_CHUNKS = 8
# After a change, reports of the time before it must not cause the next one.
STEP_UP_AFTER_S = 4.0
# A neighbour's download lasts minutes; so does its absence before it is believed.
STEP_DOWN_AFTER_S = 60.0


@dataclass(frozen=True)
class Need:
    """A step of LADDER and the reason for it."""

    step: int
    reason: str = ""


def expected(windows: Iterable[Window]) -> Need:
    """The step that the links' own figures ask for, before anything has gone wrong."""
    return max((_expected(window) for window in windows), key=lambda n: n.step, default=Need(0))


def _expected(window: Window) -> Need:
    need = Need(0)
    if window.rtt_p95_ms is not None:
        step = sum(window.rtt_p95_ms > limit for limit in RTT_P95_MS)
        need = Need(step, f"round trips of {window.rtt_p95_ms:.0f} ms")
    if window.rssi is not None:
        step = sum(window.rssi < limit for limit in RSSI_DBM)
        if step > need.step:
            need = Need(step, f"weak Wi-Fi, {window.rssi} dBm")
    return need if need.step else Need(0)


def trouble(windows: Iterable[Window]) -> str:
    """What went wrong at the present terms; empty if nothing."""
    for window in windows:
        if window.underruns:
            return f"{window.underruns} gaps"
        if window.late_chunks >= LATE_CHUNKS:
            return f"{window.late_chunks} late chunks"
        least = window.buffer_min_ms
        if window.state == "playing" and least is not None and least < LOW_BUFFER_MS:
            return f"a buffer at {least} ms"
    return ""


class TermsPolicy:
    """One group's terms over time. `windows` are those of the devices that it plays on."""

    def __init__(self, windows: Iterable[Window] = ()) -> None:
        need = expected(windows)
        self.step = need.step
        self.reason = need.reason
        self._changed_s: float | None = None
        self._calm_since_s: float | None = None

    @classmethod
    def at(cls, terms: Terms) -> TermsPolicy:
        """One that begins where another has come to."""
        policy = cls()
        policy.step = sum(rung.lead_ms < terms.lead_ms for rung in LADDER[:-1])
        return policy

    @property
    def terms(self) -> Terms:
        """What holds now."""
        return LADDER[self.step]

    def decide(self, windows: Iterable[Window], now_s: float) -> bool:
        """Look again; True if the terms have changed. `reason` then says why."""
        listed = list(windows)
        if self._changed_s is None:
            self._changed_s = now_s
        need = expected(listed)
        wrong = trouble(listed)
        settled = now_s - self._changed_s >= STEP_UP_AFTER_S
        if need.step > self.step and settled:
            return self._go(self.step + 1, need.reason, now_s)
        if wrong and settled and self.step + 1 < len(LADDER):
            return self._go(self.step + 1, wrong, now_s)
        if wrong or need.step >= self.step:
            self._calm_since_s = None
        elif self._calm_since_s is None:
            self._calm_since_s = now_s
        elif now_s - self._calm_since_s >= STEP_DOWN_AFTER_S:
            return self._go(self.step - 1, "the network is quiet", now_s)
        return False

    def _go(self, step: int, reason: str, now_s: float) -> bool:
        self.step = step
        self.reason = reason
        self._changed_s = now_s
        self._calm_since_s = None
        return True
