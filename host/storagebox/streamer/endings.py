"""Why connections to a device end, and how soon the next one is tried."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from phantom.wire import mux

# A device that lost power is back within about 2 s: look for it often enough to lose no second.
RETRY_FIRST_S = 0.05
RETRY_MAX_S = 0.4
# Another protocol version or another box in charge does not change by asking again soon.
RETRY_REFUSED_S = 5.0
GOODBYES = {
    mux.REASON_SHUTDOWN: "goodbye: shutdown",
    mux.REASON_PROTOCOL: "goodbye: protocol",
    mux.REASON_MALFORMED: "goodbye: malformed",
    mux.REASON_REPLACED: "goodbye: replaced",
    mux.REASON_STRANGER: "goodbye: stranger",
    mux.REASON_CROWDED: "goodbye: crowded",
}
REFUSALS = {
    "protocol",
    "goodbye: protocol",
    "goodbye: replaced",
    "goodbye: stranger",
    "goodbye: crowded",
    "stranger",
    "another device",
    "unusable",
}
OVERTAKEN = "overtaken"
MOVED = "moved"
# The device may not have noticed the end of such a connection, and must not hear more of it.
ABANDONED = {OVERTAKEN, MOVED, "silent", "no hello", "not reading"}


@dataclass
class LinkCounters:
    """What happened to a link since the box started."""

    connections: int = 0
    closed: Counter[str] = field(default_factory=Counter[str])  # by reason
    last_reason: str | None = None

    def end(self, reason: str) -> None:
        """A connection, or an attempt at one, has ended."""
        self.closed[reason] += 1
        self.last_reason = reason

    def pause_s(self, reason: str, failures: int, rng: random.Random) -> float:
        """How long to wait after an end that isn't counted yet, and so many failures in a row.

        Exponential back-off with a quarter of jitter, against marching in step.
        """
        if reason in (OVERTAKEN, MOVED):
            return 0.0
        # Unless it is an earlier connection of this link that came through late.
        late = reason == "goodbye: replaced" and self.last_reason in ABANDONED
        if reason in REFUSALS and not late:
            pause = RETRY_REFUSED_S
        else:
            pause = min(RETRY_MAX_S, RETRY_FIRST_S * 2 ** min(failures, 10))
        return pause * rng.uniform(0.75, 1.25)
