"""How well a house plays: devices → rooms → groups → the house, each with its reason in words.

    good     plays, or would
    fair     plays; something is not as it should be, and nobody hears it yet
    poor     heard: gaps, or half of a pair missing
    silent   answers and plays nothing
    gone     does not answer

A whole is as well as its worst part. But a room that is gone doesn't make a group gone: the others
play, so the group is poor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .readings import Window

GOOD, FAIR, POOR, SILENT, GONE = LEVELS = ("good", "fair", "poor", "silent", "gone")

# An underrun is a gap of 5 ms and more. One in ten seconds is noticed by who listens for it.
POOR_UNDERRUNS = 3
# Chunks that came after their time and were not needed any more, without a gap: repeats.
FAIR_LATE_CHUNKS = 4
# Wi-Fi at 2.4 GHz: below -70 dBm the rate falls, below -80 dBm most frames are repeated.
FAIR_RSSI_DBM = -70
POOR_RSSI_DBM = -80
# Round trips of the clock's own packets: what a lead of 240 ms can bear with its retransmission.
FAIR_RTT_MS = 120.0
# Right before a collection little is free, and that is well; less than a message takes is not.
FAIR_HEAP_BYTES = 2048
# Less in the jitter buffer than this is less than any stall of Wi-Fi.
FAIR_BUFFER_MS = 50


@dataclass(frozen=True)
class Health:
    """A level of LEVELS, and why it isn't better; empty when good."""

    level: str = GOOD
    reason: str = ""

    @property
    def rank(self) -> int:
        """0 is good; more is worse."""
        return LEVELS.index(self.level)


def of_device(
    window: Window, *, connected: bool, why_not: str = "", verdict: Health | None = None
) -> Health:
    """Of one device. `verdict` is what the coordinator has decided about it, if anything."""
    if not connected:
        return Health(GONE, why_not or "not connected")
    found = [_gaps(window), _radio(window), _network(window), _memory(window)]
    if verdict is not None:
        found.insert(0, verdict)
    return max(found, key=lambda each: each.rank)


def _gaps(window: Window) -> Health:
    if window.underruns >= POOR_UNDERRUNS:
        return Health(POOR, f"{window.underruns} gaps in 10 s")
    if window.underruns:
        return Health(FAIR, "a gap in the last 10 s")
    if window.late_chunks >= FAIR_LATE_CHUNKS:
        return Health(FAIR, f"{window.late_chunks} chunks came late in 10 s")
    least = window.buffer_min_ms
    if window.state == "playing" and least is not None and least < FAIR_BUFFER_MS:
        return Health(FAIR, f"its buffer fell to {least} ms")
    return Health()


def _radio(window: Window) -> Health:
    if window.rssi is None or window.rssi >= FAIR_RSSI_DBM:
        return Health()
    level = POOR if window.rssi < POOR_RSSI_DBM else FAIR
    return Health(level, f"weak Wi-Fi, {window.rssi} dBm: move it or the access point")


def _network(window: Window) -> Health:
    if window.state == "syncing":
        return Health(FAIR, "does not know house time yet")
    if window.rtt_p95_ms is not None and window.rtt_p95_ms > FAIR_RTT_MS:
        return Health(FAIR, f"slow network, round trips of {window.rtt_p95_ms:.0f} ms")
    return Health()


def _memory(window: Window) -> Health:
    if window.heap_free is not None and window.heap_free < FAIR_HEAP_BYTES:
        return Health(FAIR, f"short of memory, {window.heap_free} bytes left")
    return Health()


def of_room(halves: Sequence[tuple[str, Health]]) -> Health:
    """Of a room, from its devices by side ("left", "right", …)."""
    if len(halves) == 1:
        return halves[0][1]
    mute = [side for side, health in halves if health.rank >= LEVELS.index(SILENT)]
    if len(mute) == len(halves):
        return min((health for _, health in halves), key=lambda each: each.rank, default=Health())
    if mute:
        lost = next(health for side, health in halves if side == mute[0])
        return Health(POOR, f"the {mute[0]} half is {lost.level}, the other plays mono")
    return _worst(halves)


def of_group(rooms: Sequence[tuple[str, Health]]) -> Health:
    """Of a group from its rooms, or of the house from all rooms, by name."""
    if len(rooms) == 1:
        return rooms[0][1]
    worst = _worst(rooms)
    if worst.rank <= LEVELS.index(POOR):
        return worst
    if all(health.level == worst.level for _, health in rooms):
        return Health(worst.level, f"all rooms are {worst.level}")
    mute = [name for name, health in rooms if health.rank >= LEVELS.index(SILENT)]
    others = "" if len(mute) == 1 else f", {len(mute) - 1} more"
    return Health(POOR, f"{worst.reason}{others}")


def _worst(parts: Sequence[tuple[str, Health]]) -> Health:
    if not parts:
        return Health()
    name, health = max(parts, key=lambda part: part[1].rank)
    return Health(health.level, f"{name}: {health.reason}" if health.reason else "")
